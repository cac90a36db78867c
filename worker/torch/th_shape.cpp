/* Shapes, views, indexing, conversions. */
#include "worker/torch/th_impl.h"

extern "C" {

struct tensor *th_reshape(struct tensor *x, const int64_t *dims, int n)
{
    return MAKE(IN(x).reshape(th::dims(dims, n)));
}

struct tensor *th_view(struct tensor *x, const int64_t *dims, int n)
{
    return MAKE(IN(x).view(th::dims(dims, n)));
}

struct tensor *th_flatten(struct tensor *x, int from, int to)
{
    return MAKE(IN(x).flatten(from, to));
}

struct tensor *th_unsqueeze(struct tensor *x, int dim)
{
    return MAKE(IN(x).unsqueeze(dim));
}

struct tensor *th_squeeze(struct tensor *x, int dim)
{
    return MAKE(IN(x).squeeze(dim));
}

struct tensor *th_permute(struct tensor *x, const int64_t *order, int n)
{
    return MAKE(IN(x).permute(th::dims(order, n)));
}

struct tensor *th_transpose(struct tensor *x, int a, int b)
{
    return MAKE(IN(x).transpose(a, b));
}

struct tensor *th_expand(struct tensor *x, const int64_t *dims, int n)
{
    return MAKE(IN(x).expand(th::dims(dims, n)));
}

struct tensor *th_expand_as(struct tensor *x, struct tensor *like)
{
    return MAKE(IN(x).expand_as(IN(like)));
}

struct tensor *th_repeat(struct tensor *x, const int64_t *times, int n)
{
    return MAKE(IN(x).repeat(th::dims(times, n)));
}

struct tensor *th_repeat_interleave(struct tensor *x, int64_t times, int dim)
{
    return MAKE(IN(x).repeat_interleave(times, dim));
}

struct tensor *th_slice(struct tensor *x, int dim, int64_t start, int64_t end)
{
    return MAKE(IN(x).slice(dim, start, end, 1));
}

struct tensor *th_slice_step(struct tensor *x, int dim, int64_t start, int64_t end, int64_t step)
{
    return MAKE(IN(x).slice(dim, start, end, step));
}

struct tensor *th_select(struct tensor *x, int dim, int64_t index)
{
    return MAKE(IN(x).select(dim, index));
}

struct tensor *th_chunk(struct tensor *x, int64_t parts, int dim, int64_t which)
{
    return MAKE(IN(x).chunk(parts, dim).at((size_t)which));
}

struct tensor *th_cat(struct tensor *const *list, int n, int dim)
{
    return MAKE(at::cat(th::list(list, n), dim));
}

struct tensor *th_stack(struct tensor *const *list, int n, int dim)
{
    return MAKE(at::stack(th::list(list, n), dim));
}

struct tensor *th_flip(struct tensor *x, int dim)
{
    return MAKE(IN(x).flip(dim));
}

struct tensor *th_roll(struct tensor *x, int64_t shift, int dim)
{
    return MAKE(IN(x).roll(shift, dim));
}

struct tensor *th_pad(struct tensor *x, const int64_t *pairs, int n, double value)
{
    return MAKE(at::constant_pad_nd(IN(x), th::dims(pairs, n), value));
}

struct tensor *th_tril(struct tensor *x, int64_t diagonal)
{
    return MAKE(IN(x).tril(diagonal));
}

struct tensor *th_triu(struct tensor *x, int64_t diagonal)
{
    return MAKE(IN(x).triu(diagonal));
}

struct tensor *th_contiguous(struct tensor *x)
{
    return MAKE(IN(x).contiguous());
}

struct tensor *th_clone(struct tensor *x)
{
    return MAKE(IN(x).clone(at::MemoryFormat::Contiguous));
}

struct tensor *th_to(struct tensor *x, enum th_dtype t)
{
    return MAKE(IN(x).to(th::scalar_type(t)));
}

struct tensor *th_to_device(struct tensor *x, struct th_device d)
{
    return MAKE(IN(x).to(th::device(d)));
}

struct tensor *th_to_like(struct tensor *x, struct tensor *like)
{
    return MAKE(IN(x).to(IN(like).device(), IN(like).scalar_type()));
}

struct tensor *th_channels_last(struct tensor *x)
{
    return MAKE(IN(x).contiguous(at::MemoryFormat::ChannelsLast));
}

/* ---- indices and masks ----------------------------------------------------------------------------------------------
 */

struct tensor *th_index_select(struct tensor *x, int dim, struct tensor *index)
{
    return MAKE(IN(x).index_select(dim, IN(index)));
}

struct tensor *th_gather(struct tensor *x, int dim, struct tensor *index)
{
    return MAKE(IN(x).gather(dim, IN(index)));
}

struct tensor *th_take_along(struct tensor *x, struct tensor *index, int dim)
{
    return MAKE(at::take_along_dim(IN(x), IN(index), dim));
}

struct tensor *th_scatter(struct tensor *x, int dim, struct tensor *index, struct tensor *src)
{
    return MAKE(IN(x).scatter(dim, IN(index), IN(src)));
}

struct tensor *th_scatter_add(struct tensor *x, int dim, struct tensor *index, struct tensor *src)
{
    return MAKE(IN(x).scatter_add(dim, IN(index), IN(src)));
}

struct tensor *th_index_add(struct tensor *x, int dim, struct tensor *index, struct tensor *src)
{
    return MAKE(IN(x).index_add(dim, IN(index), IN(src)));
}

struct tensor *th_index_copy(struct tensor *x, int dim, struct tensor *index, struct tensor *src)
{
    return MAKE(IN(x).index_copy(dim, IN(index), IN(src)));
}

struct tensor *th_masked_fill(struct tensor *x, struct tensor *mask, double value)
{
    return MAKE(IN(x).masked_fill(IN(mask), value));
}

struct tensor *th_masked_select(struct tensor *x, struct tensor *mask)
{
    return MAKE(IN(x).masked_select(IN(mask)));
}

struct tensor *th_masked_scatter(struct tensor *x, struct tensor *mask, struct tensor *src)
{
    return MAKE(IN(x).masked_scatter(IN(mask), IN(src)));
}

struct tensor *th_nonzero(struct tensor *x)
{
    return MAKE(IN(x).nonzero());
}

struct tensor *th_where(struct tensor *condition, struct tensor *a, struct tensor *b)
{
    return MAKE(at::where(IN(condition), IN(a), IN(b)));
}

/* ---- in place -------------------------------------------------------------------------------------------------------
 */

struct tensor *th_copy_(struct tensor *to, struct tensor *from)
{
    return th::change(__func__, to, [&] { IN(to).copy_(IN(from)); });
}

struct tensor *th_fill_(struct tensor *x, double value)
{
    return th::change(__func__, x, [&] { IN(x).fill_(value); });
}

struct tensor *th_zero_(struct tensor *x)
{
    return th::change(__func__, x, [&] { IN(x).zero_(); });
}

} // extern "C"
