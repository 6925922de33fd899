// Compiles a SPIR-V compute kernel for the first Vulkan device and prints what its compiler says of it: registers, spilled
// ones, bytes of memory besides, waves, its estimate of the time in cycles. The device need not be there: Mesa's driver for
// AMD compiles for any of theirs with RADV_FORCE_FAMILY (Mesa 22.3 and 25.0 do, 26.2 no more). Kernels of cooperative
// matrices are compiled for subgroups of 32 lanes, and passed over by a driver without such matrices (22.3). Used by
// check_registers.sh.
//
//   cc -O1 registers.c -o registers -lvulkan && RADV_FORCE_FAMILY=navi21 ./registers KERNEL.spv

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

enum { BINDINGS = 12, MOST = 64, ENTRY_POINT = 15, CAPABILITY = 17, COOPERATIVE_MATRIX = 6022 };

static void fail(const char *what) {
    fprintf(stderr, "registers: %s\n", what);
    exit(1);
}

// As in VK_KHR_cooperative_matrix, which the headers of Debian 12 do not have.
struct Matrices {
    VkStructureType type;
    void *next;
    VkBool32 offered, robust;
};
enum { MATRICES = 1000506000 };

// No device where `matrices` are wanted and not offered.
static VkDevice open_device(int matrices) {
    VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo create = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app};
    VkInstance instance;
    if (vkCreateInstance(&create, NULL, &instance)) fail("no Vulkan");
    uint32_t count = 1;
    VkPhysicalDevice adapter;
    vkEnumeratePhysicalDevices(instance, &count, &adapter);
    if (count == 0) fail("no device");
    float priority = 1;
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR told = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR};
    VkPhysicalDeviceVulkan12Features more = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = &told};
    VkPhysicalDeviceVulkan11Features some = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .pNext = &more};
    struct Matrices offer = {MATRICES, &some, 0, 0};
    VkPhysicalDeviceVulkan13Features last = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pNext = matrices ? (void *)&offer : &some};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &last};
    vkGetPhysicalDeviceFeatures2(adapter, &features);
    if (matrices && !offer.offered) return VK_NULL_HANDLE;
    const char *extensions[] = {"VK_KHR_pipeline_executable_properties", "VK_KHR_cooperative_matrix"};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &features, .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue, .enabledExtensionCount = matrices ? 2 : 1, .ppEnabledExtensionNames = extensions};
    VkDevice device;
    if (vkCreateDevice(adapter, &info, NULL, &device)) fail("the device cannot be opened");
    return device;
}

// As wgpu lays them out: parameters, then storage.
static VkPipelineLayout layout(VkDevice device) {
    VkDescriptorSetLayoutBinding bindings[BINDINGS] = {0};
    for (uint32_t i = 0; i < BINDINGS; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){.binding = i, .descriptorCount = 1, .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
            .descriptorType = i ? VK_DESCRIPTOR_TYPE_STORAGE_BUFFER : VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER};
    VkDescriptorSetLayoutCreateInfo set_info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = BINDINGS,
        .pBindings = bindings};
    VkDescriptorSetLayout set;
    vkCreateDescriptorSetLayout(device, &set_info, NULL, &set);
    VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1, .pSetLayouts = &set};
    VkPipelineLayout made;
    vkCreatePipelineLayout(device, &info, NULL, &made);
    return made;
}

static uint32_t words[1 << 22];

int main(int count, char **names) {
    if (count != 2) fail("give one SPIR-V file");
    FILE *file = fopen(names[1], "rb");
    if (!file) fail("the file cannot be read");
    size_t bytes = fread(words, 1, sizeof words, file);
    fclose(file);
    const char *entry = "";
    int matrices = 0;
    for (size_t i = 5; i < bytes / 4 && words[i] >> 16; i += words[i] >> 16) {
        if ((words[i] & 0xffff) == ENTRY_POINT && !*entry) entry = (const char *)&words[i + 3];
        if ((words[i] & 0xffff) == CAPABILITY && words[i + 1] == COOPERATIVE_MATRIX) matrices = 1;
    }
    if (!strcmp(entry, "main")) return 0; // wgpu's own
    VkDevice device = open_device(matrices);
    if (!device) return 0;
    VkShaderModuleCreateInfo code = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = bytes, .pCode = words};
    VkShaderModule module;
    if (vkCreateShaderModule(device, &code, NULL, &module)) fail("no SPIR-V");
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo lanes = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO, .requiredSubgroupSize = 32};
    VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .layout = layout(device),
        .flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .pNext = matrices ? &lanes : NULL,
            .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = entry}};
    VkPipeline pipeline;
    if (vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline)) fail("the kernel does not compile");
    PFN_vkGetPipelineExecutableStatisticsKHR get = (PFN_vkGetPipelineExecutableStatisticsKHR)vkGetDeviceProcAddr(device, "vkGetPipelineExecutableStatisticsKHR");
    VkPipelineExecutableInfoKHR which = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline};
    VkPipelineExecutableStatisticKHR statistics[MOST] = {0};
    for (int i = 0; i < MOST; i++) statistics[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    uint32_t told = MOST;
    if (get(device, &which, &told, statistics)) fail("no statistics");
    const char *wanted[] = {"VGPRs", "Spilled VGPRs", "Scratch size", "Subgroups per SIMD", "Inverse Throughput"};
    printf("%s", entry);
    for (size_t w = 0; w < sizeof wanted / sizeof *wanted; w++)
        for (uint32_t i = 0; i < told; i++)
            if (!strcmp(statistics[i].name, wanted[w])) printf("\t%llu", (unsigned long long)statistics[i].value.u64);
    printf("\n");
    return 0;
}
