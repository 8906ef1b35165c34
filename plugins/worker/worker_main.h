/* A worker's side: takes jobs from a socket, does them, answers. One thread. */
#ifndef KITH_PLUGINS_WORKER_WORKER_MAIN_H
#define KITH_PLUGINS_WORKER_WORKER_MAIN_H

/* Serves until the other end closes. Returns the exit code of the process: 0, or 1 when it could not start. */
int serve_run(int fd);

#endif
