/* Prints digests of results that must not depend on the CPU: distances, search, decoded images, quality.
 * test/emulated.sh runs it on several CPUs and compares the lines.
 *
 *   kernel_digest [FOLDER of photos]
 */
#include "core/match/search/distance.h"
#include "core/match/template_set.h"
#include "plugins/recognizer.h"
#include "plugins/worker/image/decode.h"
#include "plugins/worker/image/quality.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEMPLATES = 2000, DIMENSION = 128, PROBES = 50, K = 5 };

static uint32_t seed = 1;

static float noise(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
}

/* FNV-1a */
static uint64_t digest_add(uint64_t digest, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        digest = (digest ^ ((const uint8_t *)data)[i]) * 1099511628211u;
    return digest;
}

static void digest_print(const char *what, uint64_t digest)
{
    printf("%-20s %016llx\n", what, (unsigned long long)digest);
}

static void digest_search(void)
{
    static float rows[TEMPLATES][DIMENSION];
    struct template_set *s = template_set_new("m", DIMENSION, NULL, 0);
    uint64_t digest = 0, distances[4] = {0};

    for (int i = 0; i < TEMPLATES; i++) {
        for (int d = 0; d < DIMENSION; d++)
            rows[i][d] = noise();
        template_set_add(s, i + 1, i / 2 + 1, rows[i]);
        for (uint32_t metric = KITH_METRIC_L2; metric <= KITH_METRIC_CHI_SQUARE; metric++) {
            double distance = embedding_distance(metric, rows[i], rows[i / 2], DIMENSION - i % 20);

            distances[metric] = digest_add(distances[metric], &distance, sizeof distance);
        }
    }
    for (int i = 0; i < PROBES; i++) {
        struct hit hits[K], *list = hits;
        const float *probe = rows[i * 11];
        int found;

        template_set_search(s, KITH_METRIC_L2, &probe, 1, &list, &found, K);
        for (int k = 0; k < found; k++) {
            digest = digest_add(digest, &hits[k].person, sizeof hits[k].person);
            digest = digest_add(digest, &hits[k].distance, sizeof hits[k].distance);
        }
    }
    template_set_free(s);
    digest_print("euclidean", distances[KITH_METRIC_L2]);
    digest_print("cosine", distances[KITH_METRIC_COSINE]);
    digest_print("chi-square", distances[KITH_METRIC_CHI_SQUARE]);
    digest_print("search", digest);
}

static void digest_photo(const char *name, int file, size_t len)
{
    const struct image_limits limits = {.max_pixels = 50000000, .max_scans = 32};
    void *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE, file, 0);
    struct pixels p;
    struct error error;

    if (data == MAP_FAILED)
        return;
    if (decode(data, len, &limits, 0, 1, &p, &error) == 0) {
        struct kith_face f = {.size = sizeof f, .x = 10, .y = 10, .width = 90, .height = 90, .quality = 0.9f};
        enum quality_flaw flaw;
        uint64_t digest = digest_add(0, p.rgb, (size_t)p.width * p.height * 3);

        printf("%-20.20s %016llx quality %.5f\n", name, (unsigned long long)digest, (double)quality_of(&p, &f, &flaw));
        pixels_free(&p);
    }
    munmap(data, len);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void digest_photos(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, by_name);

    for (int i = 0; i < count; i++) {
        char path[4096];
        struct stat s;
        int file;

        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        file = open(path, O_RDONLY | O_CLOEXEC);
        if (file >= 0 && fstat(file, &s) == 0 && S_ISREG(s.st_mode))
            digest_photo(entries[i]->d_name, file, (size_t)s.st_size);
        if (file >= 0)
            close(file);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    digest_search();
    if (argc > 1)
        digest_photos(argv[1]);
    return 0;
}
