/* Accepting: a kith of its own, that only receives, is given paths. Its records are in a folder beside the real ones,
 * on the same disk, and go away with it.
 *
 * The client speaks HTTP/1.1 on many connections: libcurl 7.88, Debian's, cannot use an HTTP/2 connection without TLS
 * twice (curl/curl#10634). Over HTTP/2 kith takes more; test/bench/ measures that with a client of its own. */
#include "cli/bench/bench.h"

#include "core/base/must.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECTIONS = 64, START_MS = 20000, BODY_MAX = 64 << 10 };

struct server {
    pid_t pid;
    char folder[PATH_MAX], url[256];
};

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    remove(path); /* what is gone already is well gone */
    return 0;
}

static void stop(struct server *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGTERM);
        waitpid(s->pid, NULL, 0);
    }
    if (s->folder[0])
        nftw(s->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Its address stands in its log, as api=ADDRESS. */
static bool find_address(struct server *s, char *text, size_t size)
{
    char path[PATH_MAX + 16];
    const char *at;
    size_t len;
    FILE *log;

    snprintf(path, sizeof path, "%s/log", s->folder);
    log = fopen(path, "r");
    len = log ? fread(text, 1, size - 1, log) : 0;
    text[len] = 0;
    if (log)
        fclose(log);
    at = strstr(text, " api=");
    if (!at || !strpbrk(at + 1, " \n"))
        return false;
    snprintf(s->url, sizeof s->url, "http://%.*s/v1/images", (int)strcspn(at + 5, " \n"), at + 5);
    return true;
}

static bool wait_for(struct server *s)
{
    static char text[64 << 10];

    for (double until = bench_now_ms() + START_MS; bench_now_ms() < until; poll(NULL, 0, 10)) {
        if (find_address(s, text, sizeof text))
            return true;
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
            s->pid = 0;
            break;
        }
    }
    fprintf(stderr, "kith: the kith that was to be measured did not start: %s\n", text);
    return false;
}

/* A folder of its own, by its whole path. */
static bool make_folder(struct server *s, const struct settings *settings)
{
    char real[PATH_MAX];

    mkdir(settings->data, 0755);
    if (snprintf(s->folder, sizeof s->folder, "%s/bench-XXXXXX", settings->data) >= (int)sizeof s->folder ||
        !mkdtemp(s->folder) || !realpath(s->folder, real)) {
        s->folder[0] = 0;
        fprintf(stderr, "kith: no folder for a measurement in %s (KITH_DATA): %s\n", settings->data, strerror(errno));
        return false;
    }
    memcpy(s->folder, real, sizeof s->folder);
    return true;
}

enum { FLAG_BYTES = PATH_MAX + 32 };

/* Where it names a file, by its whole path: the other kith runs in another folder. */
static void flag(char out[FLAG_BYTES], const char *name, const char *value)
{
    char real[PATH_MAX];

    snprintf(out, FLAG_BYTES, "--%s=%s", name, strchr(value, '/') && realpath(value, real) ? real : value);
}

static bool start(struct server *s, const struct settings *settings)
{
    static char data[FLAG_BYTES], images[FLAG_BYTES], recognizer[FLAG_BYTES], plugins[FLAG_BYTES]; /* large */
    char program[PATH_MAX] = "", log[PATH_MAX + 16];
    char *arguments[] = {program,
                         "serve",
                         data,
                         images,
                         recognizer,
                         plugins,
                         "--roles=receiver",
                         "--api-listen=127.0.0.1:0",
                         "--dashboard-listen=127.0.0.1:0",
                         "--auth=none",
                         "--log-format=text",
                         "--log-level=info",
                         NULL};
    char *environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
    posix_spawn_file_actions_t actions;
    int result;

    if (readlink("/proc/self/exe", program, sizeof program - 1) <= 0 || !make_folder(s, settings))
        return false;
    flag(data, "data", s->folder);
    flag(images, "image-roots", s->folder);
    flag(recognizer, "recognizer", settings->recognizer); /* it starts none, but wants to know that it is there */
    flag(plugins, "plugins", settings->plugins);
    snprintf(log, sizeof log, "%s/log", s->folder);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    /* In its folder: a .env of this one is not for it. */
    posix_spawn_file_actions_addchdir_np(&actions, s->folder);
    result = posix_spawn(&s->pid, program, &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    if (result != 0) {
        s->pid = 0;
        fprintf(stderr, "kith: cannot start a kith to measure: %s\n", strerror(result));
        return false;
    }
    return wait_for(s);
}

/* --- the client --- */

struct load {
    CURLM *multi;
    const char *url;
    struct curl_slist *headers;
    int paths; /* in a request */
    long number, accepted, refused;
    long status;      /* of the last refused one; 0: there was no answer */
    char reason[128]; /* then: why */
    double until;
    char (*bodies)[BODY_MAX];
};

static size_t ignore(char *data, size_t size, size_t count, void *context)
{
    (void)data, (void)context;
    return size * count;
}

static void post(struct load *l, CURL *easy, int slot)
{
    char *body = l->bodies[slot];
    int len = snprintf(body, BODY_MAX, l->paths == 1 ? "{\"path\":" : "{\"paths\":[");

    for (int i = 0; i < l->paths; i++)
        len += snprintf(body + len, (size_t)(BODY_MAX - len), "%s\"bench/%ld.jpg\"", i ? "," : "", l->number++);
    snprintf(body + len, (size_t)(BODY_MAX - len), l->paths == 1 ? "}" : "]}");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    curl_multi_add_handle(l->multi, easy);
}

static CURL *easy_new(struct load *l, int slot)
{
    CURL *easy = curl_easy_init();

    if (!easy)
        out_of_memory();
    curl_easy_setopt(easy, CURLOPT_URL, l->url);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, l->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)(intptr_t)slot);
    return easy;
}

/* Those that are done; each is sent on with other paths while there is time. */
static int collect(struct load *l)
{
    CURLMsg *m;
    int left, ended = 0;

    while ((m = curl_multi_info_read(l->multi, &left))) {
        CURL *easy = m->easy_handle;
        bool answered = m->data.result == CURLE_OK;
        char *slot = NULL;
        long status = 0;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
        if (answered && status / 100 == 2)
            l->accepted += l->paths;
        else {
            l->refused++;
            snprintf(l->reason, sizeof l->reason, "%s", answered ? "" : curl_easy_strerror(m->data.result));
            l->status = status;
        }
        curl_multi_remove_handle(l->multi, easy);
        if (bench_now_ms() < l->until && l->refused < CONNECTIONS)
            post(l, easy, (int)(intptr_t)slot);
        else
            ended++;
    }
    return ended;
}

static double rate_of(struct load *l, int64_t seconds)
{
    CURL *handles[CONNECTIONS];
    int left = CONNECTIONS, running;
    double begun = bench_now_ms();

    l->multi = curl_multi_init();
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
    l->until = begun + (double)seconds * 1000;
    l->accepted = 0;
    for (int i = 0; i < CONNECTIONS; i++)
        post(l, handles[i] = easy_new(l, i), i);
    while (left > 0) {
        if (curl_multi_perform(l->multi, &running) != CURLM_OK)
            break;
        left -= collect(l);
        if (left > 0)
            curl_multi_poll(l->multi, NULL, 0, 100, NULL);
    }
    begun = bench_now_ms() - begun;
    for (int i = 0; i < CONNECTIONS; i++) {
        curl_multi_remove_handle(l->multi, handles[i]);
        curl_easy_cleanup(handles[i]);
    }
    curl_multi_cleanup(l->multi);
    return (double)l->accepted / begun * 1000;
}

int bench_accept(struct bench *b)
{
    struct server s = {0};
    struct load l = {.url = s.url};
    double one = 0, many = 0;
    int code = 1;

    signal(SIGPIPE, SIG_IGN);
    l.bodies = malloc(CONNECTIONS * sizeof *l.bodies);
    if (!l.bodies)
        out_of_memory();
    l.headers = curl_slist_append(NULL, "Content-Type: application/json");
    l.headers = curl_slist_append(l.headers, "Expect:");
    if (start(&s, b->in->settings)) {
        l.paths = 1;
        one = rate_of(&l, b->seconds);
        l.paths = 1000;
        many = rate_of(&l, b->seconds);
        code = l.refused ? 1 : 0;
        if (l.refused)
            fprintf(stderr, "kith: %ld requests were refused while accepting was measured, the last with %ld %s\n",
                    l.refused, l.status, l.reason);
    }
    stop(&s);
    curl_slist_free_all(l.headers);
    free(l.bodies);
    if (code)
        return code;
    bench_say(b,
              "durable accepts over HTTP/1.1, %d connections (the client is on this machine too)\n\n"
              "  one path a request       %10.0f a second\n  1000 paths a request     %10.0f a second\n",
              CONNECTIONS, one, many);
    buf_printf(&b->out, ",\"accept\":{\"one_path_per_s\":%.0f,\"thousand_paths_per_s\":%.0f}", one, many);
    return 0;
}
