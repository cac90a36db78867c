/* acsweep keygen: a CURVE key pair for a coordinator or a worker, as two files. The secret key is never shown. */
#include "cli/commands.h"

#include "common/keys.h"

static int run_keygen(const struct opts *o, struct err *e)
{
    const char *prefix = opts_arg(o, 0);
    char public_key[KEY_TEXT_SIZE];
    TRY(key_write_files(prefix, public_key, e));
    printf("%s.key  secret key, mode 0600: keep it on this machine\n"
           "%s.pub  public key, for the other side: %s\n",
           prefix, prefix, public_key);
    return 0;
}

const struct cmd cmd_keygen = {
    .name = "keygen",
    .summary = "Make a key pair, needed where coordinator and workers are on different machines",
    .args = "PREFIX",
    .details =
        "Writes PREFIX.key (secret, mode 0600) and PREFIX.pub, and refuses to overwrite either. Connections are "
        "encrypted and both sides prove who they are: make one pair for the coordinator and one for each worker.\n"
        "  acsweep keygen coordinator\n"
        "  acsweep keygen node7\n"
        "  acsweep keys allow node7.pub    (where the coordinator is)",
    .run = run_keygen,
};
