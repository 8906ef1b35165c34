/* The main loop of a worker: takes jobs from a socket, one at a time, and answers them. Runs on the main thread of
 * `kith worker`, or on a thread of the parent for a trusted plug-in. */
#ifndef KITH_PLUGINS_WORKER_WORKER_MAIN_H
#define KITH_PLUGINS_WORKER_WORKER_MAIN_H

/* Serves until the parent closes the socket; takes ownership of `fd`. Returns the exit code of the process: 0, or 1
 * when it could not start or could not answer. */
int worker_main(int fd);

#endif
