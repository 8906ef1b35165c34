/* Starting and stopping the threads. */
#include "core/store/threads/threads_internal.h"

#include "core/base/must.h"

#include <signal.h>
#include <stdlib.h>

int threads_open(struct threads *t, struct error *error)
{
    struct queue *queues[] = {&t->writes, &t->reads};
    int status;

    for (int i = 0; i < 2; i++) {
        pthread_mutex_init(&queues[i]->lock, NULL);
        pthread_cond_init(&queues[i]->some, NULL);
    }
    t->reader_count = t->server ? READERS_MAX : SQLITE_READERS;
    t->writer_count = t->server ? WRITERS_MAX : 1;
    t->writes.taker_count = t->writer_count;
    for (int i = 0; i < t->writer_count; i++)
        t->writers[i] = (struct store_thread){
            .of = t, .queue = &t->writes, .writes = true, .number = i, .slot = t->counts_slot + i};
    for (int i = 0; i < t->reader_count; i++)
        t->readers[i] = (struct store_thread){.of = t, .queue = &t->reads, .number = i};
    if ((status = connection_open(&t->writers[0])) < 0) {
        *error = t->writers[0].error;
        return status;
    }
    if (!t->server && (status = connection_open(&t->readers[0])) < 0)
        *error = t->readers[0].error;
    return status;
}

static void thread_start(struct store_thread *w, void *(*run)(void *arg), const char *name)
{
    if (pthread_create(&w->thread, NULL, run, w))
        must_end("cannot start a thread");
    pthread_setname_np(w->thread, name);
    w->running = true;
}

void threads_start(struct threads *t)
{
    sigset_t all, before;

    sigfillset(&all); /* signals are handled on the loop thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < t->writer_count; i++)
        thread_start(&t->writers[i], writer_run, "store-write");
    for (int i = 0; i < t->reader_count; i++)
        thread_start(&t->readers[i], reader_run, "store-read");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void queue_stop(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_broadcast(&q->some);
    pthread_mutex_unlock(&q->lock);
}

static void thread_join(struct store_thread *w)
{
    if (w->running)
        pthread_join(w->thread, NULL);
    w->running = false;
}

void threads_stop(struct threads *t)
{
    if (!t->writer_count)
        return;
    queue_stop(&t->writes);
    queue_stop(&t->reads);
    for (int i = 0; i < t->reader_count; i++)
        thread_join(&t->readers[i]);
    for (int i = 0; i < t->writer_count; i++)
        thread_join(&t->writers[i]);
}

void threads_close(struct threads *t)
{
    if (!t->writer_count)
        return;
    threads_stop(t);
    for (int i = 0; i < t->reader_count; i++)
        db_close(t->readers[i].db);
    for (int i = 0; i < t->writer_count; i++)
        db_close(t->writers[i].db); /* after the readers: SQLite's last connection makes a checkpoint */
    pthread_mutex_destroy(&t->writes.lock);
    pthread_cond_destroy(&t->writes.some);
    pthread_mutex_destroy(&t->reads.lock);
    pthread_cond_destroy(&t->reads.some);
}
