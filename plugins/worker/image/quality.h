/* How good a picture of a face is, whichever recogniser found it: one number, 0 to 1.
 *
 * 1 is a sharp, evenly lit, frontal face of a hundred pixels or more that the detector is sure of. It is the product of
 * five factors, each 0 to 1, so that one bad thing is enough to be bad:
 *
 *   size       24 pixels of width: 0, 100: 1, by the logarithm. Embeddings are computed from about 100 across.
 *   sharpness  the variance of the Laplacian over that of the values, of the face at 64×64: 0.005 (blurred with a sigma
 *              of 4 % of its width): 0, 0.08 (1 %): 1, by the logarithm. Pech-Pacheco et al. 2000, made independent of
 *              contrast.
 *   contrast   the values' deviation: 8 of 255: 0, 24: 1
 *   pose       how far the nose stands from the middle between the eyes, in distances of the eyes: 0.15 or less: 1
 *              (within 15°), 0.6: 0 (a profile). Only where landmarks tell; else 1.
 *   detector   how well the detector liked it: low where something covers the face
 *
 * Below 0.3 names are guesses; `kith eval` shows what is missed by quality.
 */
#ifndef KITH_PLUGINS_WORKER_IMAGE_QUALITY_H
#define KITH_PLUGINS_WORKER_IMAGE_QUALITY_H

#include "core/image/quality.h"
#include "plugins/recognizer.h"
#include "plugins/worker/image/decode.h"

/* The number; `flaw` says which factor was the smallest. Without pixels or a box: the detector's word alone. */
float quality_of(const struct pixels *p, const struct kith_face *f, enum quality_flaw *flaw);

#endif
