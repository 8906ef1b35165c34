#include "plugins/worker/worker_main.h"

#include "core/base/must.h"
#include "plugins/shared/loader.h"
#include "plugins/worker/sandbox.h"
#include "plugins/worker/worker_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SETTINGS_MAX = 128, STATM_PAGE_BYTES = 4096, FILES_TEXT = 16 << 10 };

/* Receives the next packet into c->in and its descriptor, or -1, into *fd. Returns its length; 0: the socket is closed
 * or the packet is too short. */
static ssize_t worker_main_receive(struct child *c, int *fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {c->in, sizeof c->in};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header;
    ssize_t n;

    do
        n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    *fd = -1;
    if (n > 0 && (header = CMSG_FIRSTHDR(&m)) && header->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return n < (ssize_t)sizeof(struct packet) ? 0 : n;
}

static const char *worker_main_find_setting(const struct kith_setting *list, const char *name, const char *otherwise)
{
    for (const struct kith_setting *s = list; s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s->value;
    return otherwise;
}

/* The name, value pairs of a CONFIG packet, from `at` to `end`; they stay in the packet. */
static void worker_main_parse_settings(const char *at, const char *end, struct kith_setting list[SETTINGS_MAX + 1])
{
    for (int count = 0; at < end && count < SETTINGS_MAX; count++) {
        list[count].name = at;
        at += strlen(at) + 1;
        list[count].value = at;
        at += strlen(at) + 1;
    }
}

static int worker_main_enter_sandbox(struct child *c, const char *file, const struct kith_settings *settings,
                                     struct error *error)
{
    char text[FILES_TEXT];
    const char *list[WORKER_FILES_MAX + 1];
    const struct sandbox_options options = {
        .max_memory = c->config.max_memory, .parent = c->config.parent, .network = c->config.network, .files = list};
    int result = files_list(file, settings->list, c->config.network, text, sizeof text, list, error);

    return result < 0 ? result : sandbox_enter(&options, &c->files, error);
}

/* Enters the sandbox, loads the plug-in, opens an instance, closes the sandbox. Returns an exit code. */
static int worker_main_open_plugin(struct child *c, const char *file, const struct kith_settings *settings)
{
    struct error error = {0};
    char reason[REASON_BYTES] = "";

    c->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (c->config.sandbox && worker_main_enter_sandbox(c, file, settings, &error) < 0)
        return reply_refused(c, error.text);
    if (!(c->plugin = loader_open(file, &error)))
        return reply_refused(c, error.text);
    if ((c->plugin->needs & KITH_NEEDS_NETWORK) && !c->config.network)
        return reply_refused(c, "this recogniser needs the network; KITH_PLUGIN_ALLOW_NET=on allows it");
    if (!(c->instance = c->plugin->open(settings, reason, sizeof reason)))
        return reply_refused(c, reason[0] ? reason : "the recogniser cannot start and gave no reason");
    decode_prepare();
    if (c->config.sandbox && sandbox_close(c->config.network, &error) < 0)
        return reply_refused(c, error.text);
    return reply_hello(c);
}

static int worker_main_start(struct child *c)
{
    struct kith_setting list[SETTINGS_MAX + 1] = {{0}};
    struct kith_settings settings = {.size = sizeof settings, .list = list};
    int fd;
    ssize_t n = worker_main_receive(c, &fd);
    const char *file = c->in + sizeof(struct packet) + sizeof c->config;

    if (n < (ssize_t)(sizeof(struct packet) + sizeof c->config) ||
        ((struct packet *)(void *)c->in)->kind != PACKET_CONFIG)
        return 1;
    memcpy(&c->config, c->in + sizeof(struct packet), sizeof c->config);
    worker_main_parse_settings(file + strlen(file) + 1, c->in + n, list);
    c->min_face = atof(worker_main_find_setting(list, "min_face", "0"));
    c->jitters = (uint32_t)strtoul(worker_main_find_setting(list, "enroll_jitters", "0"), NULL, 10);
    return worker_main_open_plugin(c, file, &settings);
}

static uint64_t worker_main_resident_bytes(const struct child *c)
{
    char text[128] = "";
    unsigned long long total, resident = 0;

    if (c->statm < 0 || pread(c->statm, text, sizeof text - 1, 0) <= 0 ||
        sscanf(text, "%llu %llu", &total, &resident) != 2)
        return 0;
    return resident * STATM_PAGE_BYTES;
}

/* Of a process also that of threads, such as libde265's; of a thread of the parent only its own. */
static uint64_t worker_main_cpu_us(const struct child *c)
{
    struct timespec t;

    clock_gettime(c->config.sandbox ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Runs the job of the packet in c->in, `n` bytes. Returns an exit code. */
static int worker_main_run_job(struct child *c, ssize_t n, int fd)
{
    const struct packet *head = (const void *)c->in;
    struct child_job job = {.request = (const void *)(head + 1),
                            .path = c->in + sizeof *head + sizeof *job.request,
                            .serial = head->serial};
    uint64_t begin_us = worker_main_cpu_us(c);

    if (n <= (ssize_t)(sizeof *head + sizeof *job.request))
        return 1;
    if (c->config.sandbox)
        sandbox_allow_cpu(c->config.cpu_s);
    job_run(c, &job, fd);
    free(job.bytes);
    job.done.cpu_us = worker_main_cpu_us(c) - begin_us;
    job.done.rss_bytes = worker_main_resident_bytes(c);
    return reply_packet(c, PACKET_DONE, job.serial, &job.done, sizeof job.done, NULL, 0) < 0;
}

static void worker_main_set_quarantine(struct child *c, ssize_t n)
{
    size_t bytes = (size_t)n - sizeof(struct packet);

    free(c->quarantine);
    c->quarantine = malloc(bytes + 1);
    if (!c->quarantine)
        out_of_memory();
    memcpy(c->quarantine, c->in + sizeof(struct packet), bytes);
    c->quarantine_count = bytes / SHA256_HEX_BYTES;
}

static void worker_main_free(struct child *c)
{
    if (c->plugin && c->instance)
        c->plugin->close(c->instance);
    if (c->statm >= 0)
        close(c->statm);
    close(c->fd);
    buf_free(&c->out);
    free(c->quarantine);
    free(c);
}

int worker_main(int fd)
{
    struct child *c = calloc(1, sizeof *c);
    int code, image_fd;
    ssize_t n;

    if (!c)
        out_of_memory();
    c->fd = fd;
    c->statm = -1;
    code = worker_main_start(c);
    while (code == 0 && (n = worker_main_receive(c, &image_fd)) > 0) {
        uint32_t kind = ((struct packet *)(void *)c->in)->kind;

        if (kind == PACKET_QUARANTINE)
            worker_main_set_quarantine(c, n);
        else
            code = worker_main_run_job(c, n, image_fd);
        if (image_fd >= 0)
            close(image_fd);
    }
    worker_main_free(c);
    return code;
}
