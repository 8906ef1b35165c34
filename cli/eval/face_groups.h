/* Groups of alike faces: a partition of embeddings by their nearest centre. Pure functions on owned data; any thread,
 * one at a time for each object.
 *
 * A recogniser confuses some types of faces more often than others, and their embeddings are near each other. A rate
 * that holds on average can so be exceeded many times in a group. The groups are found by k-means (S. P. Lloyd, "Least
 * squares quantization in PCM", IEEE Transactions on Information Theory 28, 1982). The first centres are chosen as in
 * k-means++ (D. Arthur, S. Vassilvitskii, SODA 2007), but deterministically: each next one is the face at the 90th
 * percentile of the distances to the nearest centre, which avoids outliers. The same faces give the same groups.
 */
#ifndef KITH_CLI_EVAL_FACE_GROUPS_H
#define KITH_CLI_EVAL_FACE_GROUPS_H

#include <stdint.h>

struct face_groups;

/* Partitions `count` embeddings (at least 1) of `dimension` floats into at most `groups` groups, largest first. Copies
 * what it needs. Takes about `count` * `groups` * 20 distances. `metric`: enum match_metric. */
struct face_groups *face_groups_new(uint32_t metric, int dimension, const float *const *faces, int count, int groups);
void face_groups_free(struct face_groups *g); /* NULL is fine */

int face_groups_count(const struct face_groups *g);                      /* 1 or more */
int face_groups_size(const struct face_groups *g, int group);            /* faces it was made of */
int face_groups_nearest(const struct face_groups *g, const float *face); /* the group whose centre is nearest */
const float *face_groups_center(const struct face_groups *g, int group); /* `dimension` floats, borrowed */

#endif
