/* Everything that a host can do wrong gets an answer: misuse WEIGHTS */
#include "calogen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void expect(calogen_status found, calogen_status wanted, const calogen_error *error, const char *part) {
    if (found == wanted && (!error || (error->status == wanted && strstr(error->message, part)))) return;
    failures++;
    printf("status %d, expected %d with '%s': %s\n", found, wanted, part, error ? error->message : "");
}

int main(int argc, char **argv) {
    calogen_error e;
    calogen_gpu *gpu = NULL, *none = (calogen_gpu *)&e;
    calogen_generator *g = NULL;
    calogen_hits *hits = NULL;
    float labels[6] = {50, 0, 0, 50, 0, 0}, *showers;
    if (argc != 2) return 2;

    expect(calogen_gpu_open("no such device", &none, &e), CALOGEN_NO_ADAPTER, &e, "no such device");
    if (none) failures++, printf("a handle after an error\n");
    expect(calogen_gpu_open(NULL, NULL, &e), CALOGEN_INVALID, &e, "'gpu' is NULL");
    expect(calogen_gpu_open(NULL, &gpu, NULL), CALOGEN_OK, NULL, "");
    expect(calogen_generator_load(NULL, argv[1], &g, &e), CALOGEN_INVALID, &e, "'gpu' is NULL");
    expect(calogen_generator_load(gpu, NULL, &g, &e), CALOGEN_INVALID, &e, "'path' is NULL");
    expect(calogen_generator_load(gpu, "/no/file", &g, &e), CALOGEN_IO, &e, "/no/file");
    expect(calogen_generator_load(gpu, "/no/file", &g, NULL), CALOGEN_IO, NULL, "");
    expect(calogen_generator_load_bytes(gpu, (const uint8_t *)"nonsense", 8, &g, &e), CALOGEN_FORMAT, &e, "safetensors");
    expect(calogen_generator_load_bytes(gpu, (const uint8_t *)"", SIZE_MAX, &g, &e), CALOGEN_INVALID, &e, "bytes");
    expect(calogen_generator_load_bytes(gpu, NULL, 0, &g, &e), CALOGEN_FORMAT, &e, "too short");
    expect(calogen_generator_load(gpu, argv[1], &g, &e), CALOGEN_OK, &e, "");

    size_t shape[3], cells = calogen_generator_cells(g);
    expect(calogen_generator_shape(g, NULL), CALOGEN_INVALID, NULL, "");
    expect(calogen_generator_shape(g, shape), CALOGEN_OK, NULL, "");
    if (shape[0] * shape[1] * shape[2] != cells) failures++, printf("cells\n");
    expect(calogen_generator_label(g, 99, NULL, NULL, NULL, NULL), CALOGEN_INVALID, NULL, "");
    expect(calogen_generator_label(g, 0, NULL, NULL, NULL, NULL), CALOGEN_OK, NULL, "");
    expect(calogen_generator_set_batch(g, 0), CALOGEN_INVALID, NULL, "");
    expect(calogen_generator_set_threshold(g, NAN), CALOGEN_INVALID, NULL, "");

    showers = malloc(2 * cells * sizeof *showers);
    expect(calogen_generate(g, labels, 2, 1, 0, showers, 2 * cells - 1, &e), CALOGEN_INVALID, &e, "do not fit");
    expect(calogen_generate(g, labels, SIZE_MAX, 1, 0, showers, 2 * cells, &e), CALOGEN_INVALID, &e, "");
    expect(calogen_generate(g, NULL, 2, 1, 0, showers, 2 * cells, &e), CALOGEN_INVALID, &e, "'labels' is NULL");
    expect(calogen_generate(g, labels, 2, 1, 0, NULL, 2 * cells, &e), CALOGEN_INVALID, &e, "'showers' is NULL");
    expect(calogen_generate(g, labels, 2, 1, UINT64_MAX, showers, 2 * cells, &e), CALOGEN_INVALID, &e, "last one");
    labels[3] = NAN;
    expect(calogen_generate(g, labels, 2, 1, 0, showers, 2 * cells, &e), CALOGEN_INVALID, &e, "event 1: energy is NaN");
    labels[3] = 5000;
    if (calogen_generator_outside(g, labels, 2) != 1) failures++, printf("outside\n");
    expect(calogen_generate(g, NULL, 0, 1, 0, NULL, 0, &e), CALOGEN_OK, &e, "");
    labels[3] = -1;
    expect(calogen_generator_draw_labels(g, &labels[3], 1, 1, 0, labels, &e), CALOGEN_INVALID, &e, "-1 GeV");
    expect(calogen_generate_hits(g, labels, 1, 1, 0, NULL, &e), CALOGEN_INVALID, &e, "'hits' is NULL");
    expect(calogen_generate_hits(NULL, labels, 1, 1, 0, &hits, &e), CALOGEN_INVALID, &e, "'generator' is NULL");
    if (hits || calogen_hits_showers(hits) != 0 || calogen_hits_cells(hits)) failures++, printf("hits\n");

    /* The largest that fits: a message is cut off, and ends with 0. */
    char path[2000];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    calogen_generator *long_path = NULL;
    calogen_generator_load(gpu, path, &long_path, &e);
    if (strlen(e.message) != sizeof e.message - 1) failures++, printf("%zu characters\n", strlen(e.message));

    /* The generator keeps the device. */
    calogen_gpu_free(gpu);
    labels[3] = 50;
    expect(calogen_generate(g, labels, 2, 1, 0, showers, 2 * cells, &e), CALOGEN_OK, &e, "");
    expect(calogen_generate_hits(g, labels, 2, 1, 0, &hits, &e), CALOGEN_OK, &e, "");
    const size_t *offsets = calogen_hits_offsets(hits);
    for (size_t i = 0; i < 2; i++)
        for (size_t h = offsets[i]; h < offsets[i + 1]; h++)
            if (showers[i * cells + calogen_hits_cells(hits)[h]] != calogen_hits_energies(hits)[h]) failures++;

    free(showers);
    calogen_hits_free(hits);
    calogen_generator_free(g);
    calogen_generator_free(NULL);
    calogen_gpu_free(NULL);
    calogen_hits_free(NULL);
    printf("misuse: %d failures\n", failures);
    return failures != 0;
}
