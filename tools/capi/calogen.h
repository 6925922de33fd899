/* calogen: calorimeter showers from generative models, on any GPU.
 *
 * Every function that can fail returns a calogen_status and, if `error` is not NULL, says there what went wrong. There is no
 * state besides the handles; messages are never printed. Handles may be used from any thread, one thread at a time for a
 * generator; several generators may share one device. No function of this file throws or ends the program: an internal error
 * is CALOGEN_INTERNAL (the first lines about it go to standard error).
 *
 * Energies of particles are in GeV, those of cells in calogen_generator_unit(). Showers are [events][Z][X][Y], Z along the
 * beam, Y fastest. Event i of seed s is the same however it is asked for (on the same device).
 */
#ifndef CALOGEN_H
#define CALOGEN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a function has to say. */
typedef int32_t calogen_status;
#define CALOGEN_OK 0
#define CALOGEN_INVALID 1       /* an argument, label or configuration that cannot be used */
#define CALOGEN_NO_ADAPTER 2    /* no usable GPU or software driver */
#define CALOGEN_DEVICE 3        /* the device failed or was lost: open it and load again */
#define CALOGEN_OUT_OF_MEMORY 4 /* no room on the device, even for a smaller batch */
#define CALOGEN_IO 5            /* a file cannot be read */
#define CALOGEN_FORMAT 6        /* a file is not what it should be */
#define CALOGEN_NOT_FINITE 7    /* a network gave NaN or infinity */
#define CALOGEN_INTERNAL 8      /* a bug in calogen: please report it */

/* Room for a message; the caller's own, no need to initialise it. */
typedef struct calogen_error {
    calogen_status status;
    char message[508]; /* UTF-8, ends with 0, cut off if it is longer */
} calogen_error;

typedef struct calogen_gpu calogen_gpu;             /* an open device */
typedef struct calogen_generator calogen_generator; /* weights on a device */
typedef struct calogen_hits calogen_hits;           /* showers as lists of hits */

/* "0.1.0" */
const char *calogen_version(void);

/* Opens a device: an index of `calogen devices` or part of a name; NULL for WGPU_ADAPTER_NAME, else the best one. */
calogen_status calogen_gpu_open(const char *name, calogen_gpu **gpu, calogen_error *error);
/* Its name; lives as long as `gpu`. */
const char *calogen_gpu_name(const calogen_gpu *gpu);
/* Keeps what is held on the device below `bytes`; 0 for no limit. */
calogen_status calogen_gpu_limit_memory(const calogen_gpu *gpu, uint64_t bytes);
/* Gives the handle back; generators keep the device alive as long as they need it. NULL is ignored. */
void calogen_gpu_free(calogen_gpu *gpu);

/* Loads a weights file (safetensors), or one that is in memory. The file need not be trusted. */
calogen_status calogen_generator_load(const calogen_gpu *gpu, const char *path, calogen_generator **generator, calogen_error *error);
calogen_status calogen_generator_load_bytes(const calogen_gpu *gpu, const uint8_t *bytes, size_t size, calogen_generator **generator, calogen_error *error);
void calogen_generator_free(calogen_generator *generator);

/* Strings live as long as the generator. The hash is the SHA-256 of the weights file in hexadecimal digits. */
const char *calogen_generator_model(const calogen_generator *generator);
const char *calogen_generator_detector(const calogen_generator *generator);
const char *calogen_generator_unit(const calogen_generator *generator);
const char *calogen_generator_hash(const calogen_generator *generator);
/* Extents Z, X, Y into shape[3]; the cells of a shower, Z * X * Y. */
calogen_status calogen_generator_shape(const calogen_generator *generator, size_t *shape);
size_t calogen_generator_cells(const calogen_generator *generator);
/* Extent of a cell along x and y in mm into size_mm[2]; CALOGEN_INVALID if the weights do not record it. */
calogen_status calogen_generator_cell_size(const calogen_generator *generator, float *size_mm);
/* The threshold that the weights record, in the unit of the cells. */
float calogen_generator_recorded_threshold(const calogen_generator *generator);

/* Labels of an event: their number, and for each its name, unit and range in the training data (arguments may be NULL).
 * The first is the incident energy in GeV. */
size_t calogen_generator_labels(const calogen_generator *generator);
calogen_status calogen_generator_label(const calogen_generator *generator, size_t index, const char **name, const char **unit, float *min, float *max);
/* Labels for events of the given energies into labels[events][number of labels]; others than the energy are drawn from their
 * range in the training data, by seed and event. */
calogen_status calogen_generator_draw_labels(const calogen_generator *generator, const float *energies, size_t events, uint64_t seed, uint64_t first_event, float *labels, calogen_error *error);
/* How many values of labels[events][..] lie outside the range of the training data: showers are made for them all the same. */
size_t calogen_generator_outside(const calogen_generator *generator, const float *labels, size_t events);

/* Showers computed at once (256 at first); cells below `threshold` are emptied (0 at first: none). */
calogen_status calogen_generator_set_batch(calogen_generator *generator, size_t batch);
calogen_status calogen_generator_set_threshold(calogen_generator *generator, float threshold);

/* Showers for labels[events][number of labels] into showers[events][Z][X][Y], which has room for `capacity` floats.
 * On an error the contents of `showers` are undefined. */
calogen_status calogen_generate(calogen_generator *generator, const float *labels, size_t events, uint64_t seed, uint64_t first_event, float *showers, size_t capacity, calogen_error *error);

/* The same showers as hits: cells above 0 and not below the threshold. */
calogen_status calogen_generate_hits(calogen_generator *generator, const float *labels, size_t events, uint64_t seed, uint64_t first_event, calogen_hits **hits, calogen_error *error);
/* Hits of shower i are those from offsets[i] to offsets[i + 1] - 1; the cell is (z * X + x) * Y + y. */
size_t calogen_hits_showers(const calogen_hits *hits);
const size_t *calogen_hits_offsets(const calogen_hits *hits);
const uint32_t *calogen_hits_cells(const calogen_hits *hits);
const float *calogen_hits_energies(const calogen_hits *hits);
void calogen_hits_free(calogen_hits *hits);

#ifdef __cplusplus
}
#endif

#endif
