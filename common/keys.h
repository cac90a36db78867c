/* CURVE keys: 32 bytes written as 40 characters of Z85. A key pair is two small text files, PREFIX.key (secret, mode
 * 0600) and PREFIX.pub. No function here or elsewhere prints or logs a secret key. */
#ifndef ACSWEEP_COMMON_KEYS_H
#define ACSWEEP_COMMON_KEYS_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"

#define KEY_TEXT_SIZE 41 /* 40 Z85 characters and a NUL */
#define KEY_BYTES 32

struct key_pair {
    char public_key[KEY_TEXT_SIZE];
    char secret_key[KEY_TEXT_SIZE]; /* wipe with key_pair_wipe */
};

MUST_USE int key_generate(struct key_pair *k, struct err *e);
void key_pair_wipe(struct key_pair *k);
static inline UNUSED void key_pair_wipe_cleanup(struct key_pair *k)
{
    key_pair_wipe(k);
}

/* 40 characters of Z85 that decode to 32 bytes. */
bool key_is_valid(const char *text);

/* A new pair into PREFIX.key and PREFIX.pub. Refuses to overwrite either; on any error neither is left behind.
 * The public key is also returned. */
MUST_USE int key_write_files(const char *prefix, char public_key[KEY_TEXT_SIZE], struct err *e);
/* PREFIX.key -> the pair. Refuses a file that others can read (0600 or less; 0640 is fine when root owns it). */
MUST_USE int key_read_secret(const char *path, struct key_pair *k, struct err *e);
/* PREFIX.pub -> the public key. */
MUST_USE int key_read_public(const char *path, char public_key[KEY_TEXT_SIZE], struct err *e);

#endif
