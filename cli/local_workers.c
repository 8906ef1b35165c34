#include "cli/local_workers.h"

#include "plugins/shared/loader.h"

#include <limits.h>
#include <unistd.h>

int local_workers_configure(const struct invocation *in, const char *recognizer, struct worker_options *options)
{
    enum { MAX = 127 };
    static struct kith_setting settings[MAX + 1];
    static char program[PATH_MAX], file[PATH_MAX];
    const struct settings *s = in->settings;
    const char *names[MAX], *texts[MAX];
    struct error error;
    int count = settings_texts(in->book, names, texts, MAX);

    if (loader_find(recognizer, s->plugins, file, sizeof file, &error) < 0)
        return cli_refuse("%s", error.text);
    if (readlink("/proc/self/exe", program, sizeof program - 1) <= 0)
        return cli_refuse("cannot find the program's own file");
    for (int i = 0; i < count; i++)
        settings[i] = (struct kith_setting){names[i], texts[i]};
    *options = (struct worker_options){.program = program,
                                       .plugin_file = file,
                                       .settings = settings,
                                       .max_pixels = (uint64_t)s->max_pixels,
                                       .max_image = (uint64_t)s->max_image,
                                       .max_memory = (uint64_t)s->worker_memory * 2,
                                       .max_faces = (uint32_t)s->max_faces,
                                       .max_scans = (uint32_t)s->max_scans,
                                       .cpu_s = (uint32_t)(s->recognize_timeout / 1000) + 1,
                                       .network = loader_has_network(recognizer, s->plugin_allow_net)};
    return 0;
}

int local_workers_count(const struct settings *s)
{
    return s->workers ? (int)s->workers : (int)loader_workers(s->recognizer);
}
