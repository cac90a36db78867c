#include "worker/text/sentencepiece_shim.h"

#include <sentencepiece_processor.h>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

using sentencepiece::SentencePieceProcessor;

struct sp_model {
    SentencePieceProcessor processor;
};

namespace
{

int fail(char *why, size_t why_size, const std::string &text)
{
    std::snprintf(why, why_size, "%s", text.c_str());
    return -1;
}

/* No exception crosses the border. */
template <typename F> int guarded(char *why, size_t why_size, F call)
{
    why[0] = '\0';
    try {
        return call();
    } catch (const std::exception &x) {
        return fail(why, why_size, x.what());
    } catch (...) {
        return fail(why, why_size, "an unknown exception");
    }
}

} // namespace

extern "C" struct sp_model *sp_open(const void *bytes, size_t len, char *why, size_t why_size)
{
    struct sp_model *m = nullptr;
    int rc = guarded(why, why_size, [&] {
        m = new sp_model;
        auto status = m->processor.LoadFromSerializedProto(std::string_view(static_cast<const char *>(bytes), len));
        return status.ok() ? 0 : fail(why, why_size, status.ToString());
    });
    if (rc == 0)
        return m;
    delete m;
    return nullptr;
}

extern "C" void sp_close(struct sp_model *m)
{
    delete m;
}

extern "C" size_t sp_size(const struct sp_model *m)
{
    return static_cast<size_t>(m->processor.GetPieceSize());
}

extern "C" struct sp_text sp_piece(const struct sp_model *m, int32_t id)
{
    const std::string &piece = m->processor.IdToPiece(id);
    return { piece.data(), piece.size() };
}

extern "C" int32_t sp_id(const struct sp_model *m, const char *piece, size_t len)
{
    return m->processor.PieceToId(std::string_view(piece, len));
}

extern "C" int32_t sp_unk(const struct sp_model *m)
{
    return m->processor.unk_id();
}

extern "C" bool sp_is_byte(const struct sp_model *m, int32_t id)
{
    return m->processor.IsByte(id);
}

extern "C" int sp_encode(const struct sp_model *m, const char *text, size_t len, int (*take)(void *ctx, int32_t id),
                         void *ctx, char *why, size_t why_size)
{
    return guarded(why, why_size, [&] {
        std::vector<int> ids;
        auto status = m->processor.Encode(std::string_view(text, len), &ids);
        if (!status.ok())
            return fail(why, why_size, status.ToString());
        for (int id : ids)
            if (take(ctx, id) < 0)
                return -1;
        return 0;
    });
}

extern "C" int sp_decode(const struct sp_model *m, const struct sp_text *pieces, size_t n,
                         int (*take)(void *ctx, const char *text, size_t len), void *ctx, char *why, size_t why_size)
{
    return guarded(why, why_size, [&] {
        std::vector<std::string> list; /* of what every version of the library takes */
        std::string text;
        list.reserve(n);
        for (size_t i = 0; i < n; i++)
            list.emplace_back(pieces[i].text, pieces[i].len);
        auto status = m->processor.Decode(list, &text);
        if (!status.ok())
            return fail(why, why_size, status.ToString());
        return take(ctx, text.data(), text.size());
    });
}
