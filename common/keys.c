/* Key files: one line "<kind> <Z85>" after comments. The kind in the file keeps the secret and the public one from
 * being taken for each other; O_EXCL keeps an old pair from being lost. */
#include "common/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "common/parse.h"

#define KIND_SECRET "acsweep-secret-key-1"
#define KIND_PUBLIC "acsweep-public-key-1"
enum { FILE_MAX_BYTES = 1024, PATH_TEXT_MAX = 4096 };

int key_generate(struct key_pair *k, struct err *e)
{
    if (zmq_curve_keypair(k->public_key, k->secret_key) < 0)
        return FAIL(e, ERR_ENV, "this libzmq has no CURVE: %s", zmq_strerror(zmq_errno()));
    return 0;
}

void key_pair_wipe(struct key_pair *k)
{
    sodium_memzero(k, sizeof *k);
}

bool key_is_valid(const char *text)
{
    uint8_t bytes[KEY_BYTES];
    bool valid = strnlen(text, KEY_TEXT_SIZE) == KEY_TEXT_SIZE - 1 && zmq_z85_decode(bytes, text);
    sodium_memzero(bytes, sizeof bytes);
    return valid;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_file(const char *path, mode_t mode, const char *kind, const char *about, const char *key,
                      struct err *e)
{
    AUTO(close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0 && errno == EEXIST)
        return FAIL(e, ERR_INPUT, "%s exists; choose another prefix, or move the old pair away first", path);
    if (fd < 0)
        return FAIL(e, ERR_ENV, "cannot create %s: %s", path, strerror(errno));
    char text[FILE_MAX_BYTES];
    int len = snprintf(text, sizeof text, "# %s\n%s %s\n", about, kind, key);
    bool failed = fchmod(fd, mode) < 0 || write_all(fd, text, (size_t)len) < 0 || fsync(fd) < 0;
    int error = errno;
    sodium_memzero(text, sizeof text);
    if (!failed)
        return 0;
    unlink(path);
    return FAIL(e, ERR_ENV, "cannot write %s: %s", path, strerror(error));
}

static int path_of(const char *prefix, const char *suffix, char path[PATH_TEXT_MAX], struct err *e)
{
    int n = snprintf(path, PATH_TEXT_MAX, "%s%s", prefix, suffix);
    if (!*prefix || n >= PATH_TEXT_MAX)
        return FAIL(e, ERR_INPUT, "key prefix of %zu characters; 1 to %d", strlen(prefix), PATH_TEXT_MAX - 5);
    return 0;
}

int key_write_files(const char *prefix, char public_key[KEY_TEXT_SIZE], struct err *e)
{
    char secret_path[PATH_TEXT_MAX], public_path[PATH_TEXT_MAX];
    TRY(path_of(prefix, ".key", secret_path, e));
    TRY(path_of(prefix, ".pub", public_path, e));
    AUTO(key_pair_wipe) struct key_pair k = { 0 };
    TRY(key_generate(&k, e));
    TRY(write_file(secret_path, 0600, KIND_SECRET, "acsweep CURVE secret key: keep it to yourself", k.secret_key, e));
    if (write_file(public_path, 0644, KIND_PUBLIC, "acsweep CURVE public key: give it to the other side", k.public_key,
                   e) < 0) {
        unlink(secret_path);
        return -1;
    }
    memcpy(public_key, k.public_key, KEY_TEXT_SIZE);
    return 0;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* The rule of PostgreSQL and its TLS keys: ours alone, or root's and readable by our group (as Kubernetes mounts
 * secrets). */
static int check_mode(int fd, const char *path, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
    mode_t allowed = st.st_uid == 0 && geteuid() != 0 ? 0740 : 0700;
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return FAIL(e, ERR_INPUT, "%s belongs to another user; a secret key must be our own or root's", path);
    if (st.st_mode & 0777 & ~allowed)
        return FAIL(e, ERR_INPUT, "%s has mode %04o, others could read the secret key; run: chmod 600 %s", path,
                    (unsigned)(st.st_mode & 07777), path);
    return 0;
}

/* At most FILE_MAX_BYTES - 1 bytes, NUL-terminated. */
static int read_small(int fd, const char *path, char text[FILE_MAX_BYTES], struct err *e)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = read(fd, text + len, FILE_MAX_BYTES - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL(e, ERR_ENV, "cannot read %s: %s", path, strerror(errno));
        if (n == 0)
            break;
        len += (size_t)n;
        if (len == FILE_MAX_BYTES)
            return FAIL(e, ERR_INPUT, "%s is too large for a key file", path);
    }
    text[len] = '\0';
    return 0;
}

static int take_key(const char *path, const char *text, const char *kind, char key[KEY_TEXT_SIZE], struct err *e)
{
    int line = 1;
    while (*text == '#' || *text == '\n') {
        text = strchrnul(text, '\n');
        text += *text == '\n';
        line++;
    }
    size_t kind_len = strlen(kind), key_len = KEY_TEXT_SIZE - 1;
    bool secret = strcmp(kind, KIND_SECRET) == 0;
    if (strncmp(text, secret ? KIND_PUBLIC : KIND_SECRET, kind_len) == 0)
        return FAIL(e, ERR_INPUT, "%s:%d: this is the %s key; give the %s file", path, line,
                    secret ? "public" : "secret", secret ? ".key" : ".pub");
    if (strncmp(text, kind, kind_len) != 0 || text[kind_len] != ' ')
        return FAIL(e, ERR_INPUT, "%s:%d: expected '%s KEY'; make a pair with: acsweep keygen PREFIX", path, line,
                    kind);
    text += kind_len + 1;
    if (strlen(text) < key_len || text[key_len + strspn(text + key_len, "\n")] != '\0')
        return FAIL(e, ERR_INPUT, "%s:%d: the key must be %zu characters and the last thing in the file", path, line,
                    key_len);
    memcpy(key, text, key_len);
    key[key_len] = '\0';
    return key_is_valid(key) ? 0 : FAIL(e, ERR_INPUT, "%s:%d: the key is not valid Z85", path, line);
}

int key_read_secret(const char *path, struct key_pair *k, struct err *e)
{
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return FAIL(e, ERR_INPUT, "cannot open key file %s: %s", path, strerror(errno));
    TRY(check_mode(fd, path, e));
    char text[FILE_MAX_BYTES];
    int rc = read_small(fd, path, text, e);
    if (rc == 0)
        rc = take_key(path, text, KIND_SECRET, k->secret_key, e);
    sodium_memzero(text, sizeof text);
    if (rc == 0 && zmq_curve_public(k->public_key, k->secret_key) < 0)
        rc = FAIL(e, ERR_ENV, "this libzmq has no CURVE: %s", zmq_strerror(zmq_errno()));
    if (rc < 0)
        key_pair_wipe(k);
    return rc;
}

int key_read_public(const char *path, char public_key[KEY_TEXT_SIZE], struct err *e)
{
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return FAIL(e, ERR_INPUT, "cannot open key file %s: %s", path, strerror(errno));
    char text[FILE_MAX_BYTES];
    int rc = read_small(fd, path, text, e);
    if (rc == 0)
        rc = take_key(path, text, KIND_PUBLIC, public_key, e);
    sodium_memzero(text, sizeof text);
    return rc;
}
