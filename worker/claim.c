#include "worker/claim.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int claim_take(const char *name)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX }; /* an abstract name begins with a NUL byte */
    int len = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "acsweep:%s", name);
    if (len < 0 || (size_t)len >= sizeof a.sun_path - 1)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}
