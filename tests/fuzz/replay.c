/* Without a fuzzing engine: run the target on every file of the directories named, and fail when there is none. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return -1;
    size_t cap = 16u << 20;
    uint8_t *data = malloc(cap);
    size_t size = data ? fread(data, 1, cap, f) : 0;
    fclose(f);
    if (data)
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    return data ? 0 : -1;
}

static int replay_directory(const char *path)
{
    DIR *d = opendir(path);
    int files = 0;
    for (struct dirent *entry; d && (entry = readdir(d));) {
        char file[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (replay_file(file) < 0)
            return -1;
        files++;
    }
    if (d)
        closedir(d);
    return files;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int files = replay_directory(argv[i]);
        if (files <= 0) {
            fprintf(stderr, "%s: no corpus there\n", argv[i]);
            return 1;
        }
        printf("%s: %d inputs\n", argv[i], files);
    }
    return argc > 1 ? 0 : 2;
}
