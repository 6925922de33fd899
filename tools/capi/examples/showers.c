/* Mean visible energy of 100 electrons of 50 GeV: showers WEIGHTS */
#include "calogen.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    calogen_error error;
    calogen_gpu *gpu = NULL;
    calogen_generator *generator = NULL;
    float *labels = NULL, *showers = NULL, energies[100];
    int status = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: showers WEIGHTS\n");
        return 2;
    }
    if (calogen_gpu_open(NULL, &gpu, &error) || calogen_generator_load(gpu, argv[1], &generator, &error)) goto failed;

    size_t cells = calogen_generator_cells(generator);
    labels = malloc(100 * calogen_generator_labels(generator) * sizeof *labels);
    showers = malloc(100 * cells * sizeof *showers);
    if (!labels || !showers) goto done;
    for (int i = 0; i < 100; i++) energies[i] = 50;
    if (calogen_generator_draw_labels(generator, energies, 100, 1, 0, labels, &error)) goto failed;
    if (calogen_generate(generator, labels, 100, 1, 0, showers, 100 * cells, &error)) goto failed;

    double sum = 0;
    for (size_t i = 0; i < 100 * cells; i++) sum += showers[i];
    printf("100 showers of 50 GeV: %.1f %s on average\n", sum / 100, calogen_generator_unit(generator));
    status = 0;
    goto done;

failed:
    fprintf(stderr, "showers: %s\n", error.message);
done:
    free(labels);
    free(showers);
    calogen_generator_free(generator);
    calogen_gpu_free(gpu);
    return status;
}
