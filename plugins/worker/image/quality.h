/* The quality of a face for recognition, 0 to 1, independent of the recogniser.
 *
 * 1 is a sharp, evenly lit, frontal face of at least 100 pixels with a confident detection. The quality is the product
 * of five factors, each 0 to 1, so that one bad factor makes it low:
 *
 *   size       width of 24 pixels: 0, 100: 1, logarithmic. Embeddings are computed from about 100 pixels.
 *   sharpness  the variance of the Laplacian over that of the values, of the face at 64×64: 0.005 (blurred with a sigma
 *              of 4 % of its width): 0, 0.08 (1 %): 1, logarithmic. Pech-Pacheco et al. 2000, made independent of
 *              contrast.
 *   contrast   standard deviation of the values: 8 of 255: 0, 24: 1
 *   pose       offset of the nose from the centre between the eyes, relative to the eye distance: at most 0.15: 1
 *              (within 15°), 0.6: 0 (profile). 1 without suitable landmarks.
 *   detector   confidence of the detector: low for an occluded face
 *
 * Below 0.3 matches are unreliable; `kith eval` reports misses by quality.
 */
#ifndef KITH_PLUGINS_WORKER_IMAGE_QUALITY_H
#define KITH_PLUGINS_WORKER_IMAGE_QUALITY_H

#include "core/image/quality.h"
#include "plugins/recognizer.h"
#include "plugins/worker/image/decode.h"

/* Returns the quality and stores the smallest factor in `flaw`. Without pixels or a box only the detector counts. */
float quality_of(const struct pixels *p, const struct kith_face *f, enum quality_flaw *flaw);

#endif
