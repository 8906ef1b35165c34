/* kith worker: the other end of plugins/host/worker.c. It inherits its socket as descriptor 3. */
#include "cli/cli.h"
#include "plugins/host/protocol.h"
#include "plugins/worker/worker_main.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int cli_worker(void)
{
    int type = 0, code;
    socklen_t len = sizeof type;

    if (getsockopt(WORKER_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
        return cli_refuse("“kith worker” is started by “kith serve”, not by hand");
    fcntl(WORKER_FD, F_SETFD, FD_CLOEXEC);
    /* What a library of the parent has opened without close-on-exec (connections to a database, to a bus) is not ours:
     * a plug-in could speak through it, and its peer would never see it end. */
    close_range(WORKER_FD + 1, ~0U, 0);
    code = worker_main(WORKER_FD);
    _exit(code); /* no destructors of other people's libraries */
}
