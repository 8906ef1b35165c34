/* kith worker: the child process of plugins/host/worker_process.c. It inherits its socket as descriptor 3. */
#include "cli/cli.h"
#include "plugins/shared/protocol.h"
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
    /* Libraries of the parent open connections to the database and the bus without close-on-exec. A plug-in could send
     * on them, and their servers would never see them close. */
    close_range(WORKER_FD + 1, ~0U, 0);
    code = worker_main(WORKER_FD);
    _exit(code); /* without the destructors of the plug-in's libraries */
}
