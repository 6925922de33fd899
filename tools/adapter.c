/* Is there a Vulkan adapter? Exit status 0 yes, 1 no, 2 no loader. Needs no header of Vulkan. */
#include <dlfcn.h>
#include <stdint.h>

struct instance_info {
    int32_t type;
    const void *next;
    uint32_t flags;
    const void *application;
    uint32_t layers;
    const void *layer_names;
    uint32_t extensions;
    const void *extension_names;
};

int main(void) {
    void *loader = dlopen("libvulkan.so.1", RTLD_NOW);
    if (!loader) return 2;
    int32_t (*create)(const void *, const void *, void **) = dlsym(loader, "vkCreateInstance");
    int32_t (*enumerate)(void *, uint32_t *, void *) = dlsym(loader, "vkEnumeratePhysicalDevices");
    struct instance_info info = {.type = 1};
    void *instance = 0;
    uint32_t adapters = 0;
    if (!create || !enumerate || create(&info, 0, &instance) || enumerate(instance, &adapters, 0)) return 1;
    return adapters == 0;
}
