/* Own declarations of CUDA runtime calls. cudaDeviceProp changes its layout between versions, so only its beginning is
 * read (name, then the 16 bytes of the UUID: unchanged since CUDA 10) out of a buffer with room for any version; all
 * else comes from cudaDeviceGetAttribute, whose numbers never change. */
#include "worker/exec/cudart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/exec/library.h"

#define ATTRIBUTE_MAJOR 75
#define ATTRIBUTE_MINOR 76
#define PROPERTIES_ROOM 8192

struct properties_head {
    char name[256];
    unsigned char uuid[16];
};

struct cudart {
    void *library;
    int (*get_count)(int *);
    int (*set_device)(int);
    int (*mem_info)(size_t *, size_t *);
    int (*get_attribute)(int *, int, int);
    int (*get_properties)(void *, int);
    const char *(*error_string)(int);
    int (*reset)(void);
};

static const char *const libraries[] = { "libcudart.so", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0",
                                         NULL };

static int bind_calls(struct cudart *c, struct err *e)
{
    const struct library_call calls[] = {
        { &c->get_count, "cudaGetDeviceCount", NULL },
        { &c->set_device, "cudaSetDevice", NULL },
        { &c->mem_info, "cudaMemGetInfo", NULL },
        { &c->get_attribute, "cudaDeviceGetAttribute", NULL },
        { &c->get_properties, "cudaGetDeviceProperties_v2", "cudaGetDeviceProperties" },
        { &c->error_string, "cudaGetErrorString", NULL },
        { &c->reset, "cudaDeviceReset", NULL },
    };
    return library_bind(c->library, "CUDA runtime", calls, ARRAY_LEN(calls), e);
}

struct cudart *cudart_open(struct err *e)
{
    void *library = library_open("ACSWEEP_CUDART", libraries, "CUDA runtime", e);
    if (!library)
        return NULL;
    struct cudart *c = calloc(1, sizeof *c);
    if (!c) {
        library_close(library);
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    }
    c->library = library;
    if (bind_calls(c, e) < 0) {
        cudart_close(c);
        return NULL;
    }
    return c;
}

void cudart_close(struct cudart *c)
{
    if (!c)
        return;
    library_close(c->library);
    free(c);
}

int cudart_count(struct cudart *c, int *count, struct err *e)
{
    *count = 0;
    int code = c->get_count(count);
    if (code != 0)
        return FAIL(e, ERR_ENV, "CUDA: %s (error %d)", c->error_string(code), code);
    return 0;
}

static void uuid_text(const unsigned char *u, char *out, size_t room)
{
    char hex[33];
    for (int i = 0; i < 16; i++)
        snprintf(hex + (size_t)i * 2, 3, "%02x", u[i]);
    snprintf(out, room, "GPU-%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static int describe(struct cudart *c, int index, struct cudart_device *out)
{
    union {
        struct properties_head head;
        unsigned char room[PROPERTIES_ROOM];
        double align;
    } p;
    memset(&p, 0, sizeof p);
    int major = 0, minor = 0;
    int code = c->get_properties(&p, index);
    if (code == 0) {
        snprintf(out->name, sizeof out->name, "%.*s", (int)sizeof p.head.name - 1, p.head.name);
        uuid_text(p.head.uuid, out->uuid, sizeof out->uuid);
        code = c->get_attribute(&major, ATTRIBUTE_MAJOR, index);
    }
    if (code == 0)
        code = c->get_attribute(&minor, ATTRIBUTE_MINOR, index);
    out->compute_capability = (uint32_t)(major * 10 + minor);
    if (code == 0)
        code = c->set_device(index);
    size_t free_bytes = 0, total = 0;
    if (code == 0)
        code = c->mem_info(&free_bytes, &total); /* makes a context: this is the call that a broken device refuses */
    out->free_bytes = free_bytes;
    out->memory_bytes = total;
    return code;
}

void cudart_describe(struct cudart *c, int index, struct cudart_device *out)
{
    *out = (struct cudart_device){ .state = "ok" };
    int code = describe(c, index, out);
    if (code != 0)
        snprintf(out->state, sizeof out->state, "sick: %.100s (error %d)", c->error_string(code), code);
    if (!out->uuid[0])
        snprintf(out->uuid, sizeof out->uuid, "index-%d", index);
    c->reset();
}
