/* A recogniser for tests of the host: the colour of the first pixel selects a fault (crash, hang, leak, invalid result,
 * attempt to leave the sandbox). Any other colour is its own embedding.
 *
 * With KITH_LBPH_CASCADE=refuse, a setting that it does not use otherwise, it refuses to open.
 */
#include "plugins/recognizer.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MOODY_SIZE
#define MOODY_SIZE sizeof(struct kith_recognizer)
#endif
#ifndef MOODY_ABI
#define MOODY_ABI KITH_RECOGNIZER_ABI
#endif
#ifndef MOODY_MAGIC
#define MOODY_MAGIC KITH_RECOGNIZER_MAGIC
#endif

struct instance {
    float embedding[3], landmarks[10];
    struct kith_face face;
};

static void *moody_open(const struct kith_settings *settings, char *error, size_t error_size)
{
    for (const struct kith_setting *s = settings->list; s->name; s++)
        if (strcmp(s->name, "lbph_cascade") == 0 && strcmp(s->value, "refuse") == 0) {
            snprintf(error, error_size, "not in the mood");
            return NULL;
        }
    return calloc(1, sizeof(struct instance));
}

static int moody_health(void *self, char *error, size_t error_size)
{
    (void)self;
    (void)error;
    (void)error_size;
    return KITH_OK;
}

static int try_to_escape(char *error, size_t size)
{
    int network = socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
    int file = open("/etc/passwd", O_RDONLY) < 0 ? errno : 0;
    int write = open("/tmp/kith-was-here", O_WRONLY | O_CREAT, 0600) < 0 ? errno : 0;
    pid_t child = fork();
    int process = child < 0 ? errno : 0;
    int program;

    if (child == 0)
        _exit(0);
    if (child > 0)
        waitpid(child, NULL, 0);
    execl("/bin/true", "true", (char *)NULL);
    program = errno;
    snprintf(error, size, "network=%d file=%d write=%d fork=%d exec=%d kill=%d", network, file, write, process, program,
             kill(getppid(), 0) < 0 ? errno : 0);
    return KITH_BAD_IMAGE;
}

static int misbehave(struct instance *me, const uint8_t *pixel, struct kith_result *result, char *error, size_t size)
{
    volatile char *leak;

    switch (pixel[0] << 16 | pixel[1] << 8 | pixel[2]) {
    case 0xff0000: /* crashes */
        raise(SIGSEGV);
        break;
    case 0x00ff00: /* hangs, computing */
        for (volatile unsigned long i = 0;; i++)
            ;
    case 0x00fe00: /* hangs, waiting */
        for (;;)
            pause();
    case 0x0000ff: /* leaks */
        leak = malloc(64 << 20);
        for (size_t i = 0; leak && i < 64 << 20; i += 4096)
            leak[i] = 1;
        break;
    case 0xffff00: /* returns an embedding that is not finite */
        me->face.embedding = me->embedding;
        me->embedding[0] = NAN;
        result->faces = &me->face;
        result->face_count = 1;
        return KITH_OK;
    case 0xf8f8f8: /* writes lines in the format of the log */
        fprintf(stderr, "first\n2026-11-28T00:00:00.000Z info  audit who=admin what=\"forged\"\n\x1b[2Jescape\xff\n");
        snprintf(error, size, "wrote");
        return KITH_BAD_IMAGE;
    case 0xf7f7f7: /* writes more lines than anyone reads */
        for (int i = 0; i < 20000; i++)
            fprintf(stderr, "flood %d\n", i);
        snprintf(error, size, "wrote");
        return KITH_BAD_IMAGE;
    case 0xff00ff: /* returns an invalid number of faces */
        result->faces = &me->face;
        result->face_count = 0x7fffffff;
        return KITH_OK;
    case 0x00ffff:
        return try_to_escape(error, size);
    case 0xfefefe: /* reports its own failure */
        snprintf(error, size, "out of sorts");
        return KITH_FAILED;
    case 0xfdfdfd: /* reports an error of the image */
        snprintf(error, size, "do not like it");
        return KITH_BAD_IMAGE;
    case 0xfbfbfb: /* a reason that is not UTF-8 */
        snprintf(error, size, "caf\xc3");
        return KITH_BAD_IMAGE;
    case 0xfafafa: /* a reason that its buffer cuts within a character */
        snprintf(error, size, "%*s\u00e9", (int)size - 2, "");
        return KITH_BAD_IMAGE;
    case 0xfcfcfc: /* ends the process */
        _exit(3);
    }
    return 1000;
}

/* Red 249: green selects a member of the face, blue the value that it gets. */
static void spoil(struct instance *me, const uint8_t *pixel)
{
    const float values[] = {NAN, INFINITY, -1, 1e30f, 1e10f, 0};
    const float value = values[pixel[2] % 6];
    struct kith_face *f = &me->face;
    float *members[] = {
        &f->x, &f->y, &f->width, &f->height, &f->quality, &f->label_distance, &me->embedding[2], &me->landmarks[3]};

    f->landmarks = me->landmarks;
    f->landmark_count = 5;
    if (pixel[1] == 5)
        f->label = "nobody yet";
    if (pixel[1] < 8)
        *members[pixel[1]] = value;
    else if (pixel[1] == 8)
        f->x = 5000;
    else if (pixel[1] == 9)
        f->landmark_count = 1000;
    else if (pixel[1] == 10)
        f->landmarks = NULL;
    else if (pixel[1] == 11)
        f->size = 8;
    else
        f->embedding = NULL;
}

static int moody_recognize(void *self, const struct kith_image *image, struct kith_result *result, char *error,
                           size_t error_size)
{
    struct instance *me = self;
    int status;

    me->face = (struct kith_face){.size = sizeof me->face, .width = 10, .height = 10, .quality = 1};
    status = misbehave(me, image->rgb, result, error, error_size);
    if (status != 1000)
        return status;
    for (int i = 0; i < 3; i++)
        me->embedding[i] = image->rgb[i];
    me->face.embedding = me->embedding;
    if (image->rgb[0] == 249)
        spoil(me, image->rgb);
    result->faces = &me->face;
    result->face_count = image->rgb[0] == 250 ? 0 : 1; /* a picture without a face */
    return KITH_OK;
}

static void moody_close(void *self)
{
    free(self);
}

static const struct kith_recognizer descriptor = {
    .magic = MOODY_MAGIC,
    .abi = MOODY_ABI,
    .size = MOODY_SIZE,
    .needs = KITH_NEEDS_PIXELS,
    .name = "moody",
    .version = "1",
    .model_id = "moody-rgb",
    .metric = KITH_METRIC_L2,
    .dimension = 3,
    .threshold = 5,
    .open = moody_open,
    .health = moody_health,
    .recognize = moody_recognize,
    .close = moody_close,
};

#ifndef MOODY_SILENT
const struct kith_recognizer *kith_recognizer_get(void)
{
    return &descriptor;
}
#else
const void *kith_nothing(void);
const void *kith_nothing(void)
{
    return &descriptor;
}
#endif
