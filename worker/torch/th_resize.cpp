/* Resizing of images and position grids. */
#include "worker/torch/th_impl.h"

#include <cmath>

namespace
{

using scale = c10::optional<double>;

int64_t size_or_scaled(int64_t size, double by, int64_t from)
{
    if (size > 0)
        return size;
    if (!(by > 0))
        throw th::misuse("neither a size nor a scale factor is given");
    return (int64_t)std::floor((double)from * by);
}

at::Tensor resize(const at::Tensor &x, at::IntArrayRef size, const struct th_resize_to &to)
{
    scale h = to.scale_h > 0 ? scale(to.scale_h) : scale(), w = to.scale_w > 0 ? scale(to.scale_w) : scale();
    switch (to.mode) {
    case TH_NEAREST:
        return at::upsample_nearest2d(x, size, h, w);
    case TH_NEAREST_EXACT:
        return at::_upsample_nearest_exact2d(x, size, h, w);
    case TH_BILINEAR:
        return to.antialias ? at::_upsample_bilinear2d_aa(x, size, to.align_corners, h, w)
                            : at::upsample_bilinear2d(x, size, to.align_corners, h, w);
    case TH_BICUBIC:
        return to.antialias ? at::_upsample_bicubic2d_aa(x, size, to.align_corners, h, w)
                            : at::upsample_bicubic2d(x, size, to.align_corners, h, w);
    }
    throw th::misuse("there is no such mode");
}

at::Tensor check_and_resize(const at::Tensor &x, const struct th_resize_to &to)
{
    if (x.dim() != 4)
        throw th::misuse("x must be (B,C,H,W)");
    int64_t size[2] = { size_or_scaled(to.h, to.scale_h, x.size(2)), size_or_scaled(to.w, to.scale_w, x.size(3)) };
    /* The antialiased kernels of 1.13 know f32 and f64 only; the others are no better in half precision. */
    bool half = x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf;
    if (half && x.device().is_cpu())
        return resize(x.to(at::kFloat), size, to).to(x.scalar_type());
    return resize(x, size, to);
}

} // namespace

extern "C" struct tensor *th_resize(struct tensor *x, struct th_resize_to to)
{
    return MAKE(check_and_resize(IN(x), to));
}
