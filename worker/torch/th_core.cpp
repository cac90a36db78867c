/* Handles, scopes, and exceptions turned into errors.
 *
 * A handle is a number dressed as a pointer: the index of a slot in the low 32 bits (counted from 1, so that NULL is
 * none), the slot's generation in the high ones. Freeing a slot raises its generation, so every handle to it is dead
 * from then on, and says so when it is used. Slots live in chunks that are never given back; a thread takes and returns
 * them through a list of its own.
 *
 * A thread's temporaries are one stack of handles; a scope is a mark in it. Ending a scope frees what is above the
 * mark, except what has been handed to a scope below (it sinks to the mark) or kept (it leaves the stack). */
#include "worker/torch/th_impl.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <new>

static_assert(sizeof(void *) == 8, "a handle holds an index and a generation");

namespace
{

constexpr uint32_t CHUNK_SLOTS = 1024, CHUNKS = 1 << 14;
constexpr uint32_t KEPT = 0; /* depth of a tensor outside the scopes; the outermost scope is 1 */

struct slot {
    at::Tensor tensor;
    std::atomic<uint32_t> generation{ 1 };
    uint32_t depth = KEPT;
    uint64_t thread = 0; /* whose scopes `depth` counts */
    bool live = false;
};

std::atomic<slot *> chunks[CHUNKS];
std::atomic<int64_t> live_count{ 0 };
std::atomic<uint64_t> thread_count{ 0 };
std::mutex free_mutex;
std::vector<uint32_t> *free_slots; /* leaked on purpose: threads may end after the static destructors ran */
uint32_t chunks_made;

struct scope_state {
    uint64_t id;
    size_t mark;
    bool grad; /* the mode to go back to */
};

struct thread_state {
    uint64_t number = ++thread_count, scopes_made = 0;
    std::vector<uint32_t> free;
    std::vector<uint64_t> temporaries;
    std::vector<scope_state> scopes;
    ~thread_state();
};
thread_local thread_state self;

slot &slot_at(uint32_t index)
{
    return chunks[index / CHUNK_SLOTS].load(std::memory_order_acquire)[index % CHUNK_SLOTS];
}

/* Called with free_mutex held. */
void add_chunk()
{
    if (chunks_made == CHUNKS)
        throw th::misuse("more than 16 million tensors are alive");
    free_slots->reserve(free_slots->size() + CHUNK_SLOTS);
    chunks[chunks_made].store(new slot[CHUNK_SLOTS], std::memory_order_release);
    for (uint32_t i = CHUNK_SLOTS; i-- > 0;)
        free_slots->push_back(chunks_made * CHUNK_SLOTS + i);
    chunks_made++;
}

uint32_t take_slot()
{
    if (self.free.empty()) {
        std::lock_guard<std::mutex> lock(free_mutex);
        if (!free_slots)
            free_slots = new std::vector<uint32_t>;
        if (free_slots->empty())
            add_chunk();
        size_t n = std::min<size_t>(free_slots->size(), 64);
        self.free.assign(free_slots->end() - (ptrdiff_t)n, free_slots->end());
        free_slots->resize(free_slots->size() - n);
    }
    uint32_t index = self.free.back();
    self.free.pop_back();
    return index;
}

void give_slots_back(std::vector<uint32_t> &mine, size_t keep)
{
    std::lock_guard<std::mutex> lock(free_mutex);
    free_slots->insert(free_slots->end(), mine.begin() + (ptrdiff_t)keep, mine.end());
    mine.resize(keep);
}

uint64_t handle_number(uint32_t index, uint32_t generation)
{
    return (uint64_t)generation << 32 | (index + 1);
}

/* The slot of a live handle, or NULL. */
slot *find(uint64_t handle)
{
    uint32_t index = (uint32_t)handle - 1, generation = (uint32_t)(handle >> 32);
    if ((uint32_t)handle == 0 || index / CHUNK_SLOTS >= CHUNKS || !chunks[index / CHUNK_SLOTS].load())
        return nullptr;
    slot &s = slot_at(index);
    return s.live && s.generation.load(std::memory_order_acquire) == generation ? &s : nullptr;
}

slot *find(struct tensor *h)
{
    return find((uint64_t)(uintptr_t)h);
}

void release(uint64_t handle, slot &s)
{
    at::Tensor last = std::move(s.tensor); /* its destructor may call back into C: after the slot is consistent */
    s.live = false;
    s.generation.fetch_add(1, std::memory_order_release);
    live_count--;
    self.free.push_back((uint32_t)handle - 1);
    if (self.free.size() > 4096)
        give_slots_back(self.free, 2048);
}

/* End the scopes from `depth` on. */
void unwind(uint32_t depth)
{
    scope_state end = self.scopes[depth - 1];
    /* Freeing a tensor may run C code that opens scopes of its own: settle the stack first. */
    std::vector<uint64_t> dead;
    size_t kept = end.mark;
    for (size_t i = end.mark; i < self.temporaries.size(); i++) {
        uint64_t h = self.temporaries[i];
        slot *s = find(h);
        if (!s || s->depth == KEPT)
            continue;
        if (s->depth < depth)
            self.temporaries[kept++] = h;
        else
            dead.push_back(h);
    }
    self.temporaries.resize(kept);
    self.scopes.resize(depth - 1);
    c10::GradMode::set_enabled(end.grad);
    for (size_t i = dead.size(); i-- > 0;)
        if (slot *s = find(dead[i]))
            release(dead[i], *s);
}

thread_state::~thread_state()
{
    if (!scopes.empty())
        unwind(1);
    if (!free.empty())
        give_slots_back(free, 0);
}

/* Depth of an open scope of this thread, 0 when it has ended. */
uint32_t depth_of(const struct th_scope *s)
{
    for (size_t i = self.scopes.size(); s && s->id && i-- > 0;)
        if (self.scopes[i].id == s->id)
            return (uint32_t)(i + 1);
    return 0;
}

struct tensor *hand_up(struct th_scope *s, struct tensor *x)
{
    uint32_t depth = depth_of(s);
    if (!depth)
        throw th::misuse("the scope has ended already");
    if (depth == 1)
        throw th::misuse("there is no scope around this one; use th_keep");
    th::arg(x, "x");
    slot *t = find(x);
    if (t->depth != KEPT && t->thread != self.number)
        throw th::misuse("x belongs to a scope of another thread; th_keep it before another thread sees it");
    if (t->depth >= depth)
        t->depth = depth - 1;
    return x;
}

bool contains(const char *text, const char *part)
{
    return std::strstr(text, part) != nullptr;
}

/* The kinds that callers act on; libtorch has no exception types for most of them. */
enum err_kind kind_of(const char *what)
{
    if (contains(what, "CUDA out of memory") || contains(what, "CUDA error: out of memory") ||
        contains(what, "CUBLAS_STATUS_ALLOC_FAILED"))
        return ERR_GPU_OOM;
    if (contains(what, "CUDA error") || contains(what, "CUDNN_STATUS_") || contains(what, "CUBLAS_STATUS_"))
        return ERR_GPU;
    if (contains(what, "DefaultCPUAllocator") || contains(what, "not enough memory"))
        return ERR_NOMEM;
    return ERR_BUG;
}

} // namespace

/* ---- for the other files --------------------------------------------------------------------------------------------
 */

struct tensor *th::own(at::Tensor t)
{
    if (self.scopes.empty())
        throw misuse("no scope is open in this thread: begin with TH_SCOPE");
    if (!t.defined())
        throw misuse("libtorch gave no tensor");
    uint32_t index = take_slot();
    slot &s = slot_at(index);
    uint64_t handle = handle_number(index, s.generation.load());
    try {
        self.temporaries.push_back(handle);
    } catch (...) {
        self.free.push_back(index);
        throw;
    }
    s.tensor = std::move(t);
    s.depth = (uint32_t)self.scopes.size();
    s.thread = self.number;
    s.live = true;
    live_count++;
    return (struct tensor *)(uintptr_t)handle;
}

const at::Tensor &th::arg(struct tensor *h, const char *name)
{
    if (!h)
        throw misuse(std::string(name) + " is NULL");
    slot *s = find(h);
    if (!s)
        throw misuse(std::string(name) + " was freed before: its scope has ended, or it was dropped");
    return s->tensor;
}

c10::optional<at::Tensor> th::opt(struct tensor *h, const char *name)
{
    return h ? c10::optional<at::Tensor>(arg(h, name)) : c10::optional<at::Tensor>();
}

std::vector<at::Tensor> th::list(struct tensor *const *handles, int n)
{
    std::vector<at::Tensor> all;
    all.reserve((size_t)std::max(n, 0));
    for (int i = 0; i < n; i++)
        all.push_back(arg(handles[i], ("list[" + std::to_string(i) + "]").c_str()));
    return all;
}

void th::note_exception(const char *where) noexcept
{
    try {
        throw;
    } catch (const misuse &x) {
        th_error_set(ERR_BUG, where, x.what());
    } catch (const failure &x) {
        th_error_set(x.why.kind, where, x.why.text);
    } catch (const c10::Error &x) {
        th_error_set(kind_of(x.what_without_backtrace()), where, x.what_without_backtrace());
    } catch (const std::bad_alloc &) {
        th_error_set(ERR_NOMEM, where, "out of memory");
    } catch (const std::exception &x) {
        th_error_set(kind_of(x.what()), where, x.what());
    } catch (...) {
        th_error_set(ERR_BUG, where, "an exception of unknown type from libtorch");
    }
}

/* ---- scopes ---------------------------------------------------------------------------------------------------------
 */

extern "C" {

struct th_scope th_scope_begin(void)
{
    struct th_scope s = { 0 };
    try {
        bool grad = c10::GradMode::is_enabled(), first = self.scopes.empty();
        uint64_t id = self.number << 40 | ++self.scopes_made;
        self.scopes.push_back({ id, self.temporaries.size(), grad });
        if (first)
            c10::GradMode::set_enabled(false);
        s.id = id;
    } catch (...) {
        th::note_exception(__func__);
    }
    return s;
}

void th_scope_end(struct th_scope *s)
{
    uint32_t depth = depth_of(s);
    if (s)
        s->id = 0;
    if (!depth)
        return;
    try {
        unwind(depth);
    } catch (...) {
        th::note_exception(__func__);
    }
}

struct tensor *th_hand_up(struct th_scope *s, struct tensor *x)
{
    return th::ask(__func__, (struct tensor *)nullptr, [&] { return hand_up(s, x); });
}

struct tensor *th_return(struct th_scope *s, struct tensor *x)
{
    x = th::ask(__func__, (struct tensor *)nullptr, [&] { return hand_up(s, x); });
    th_scope_end(s);
    return x;
}

struct tensor *th_keep(struct tensor *x)
{
    return th::change(__func__, x, [&] {
        IN(x);
        find(x)->depth = KEPT;
    });
}

void th_drop(struct tensor *x)
{
    if (!x)
        return;
    slot *s = find(x);
    if (!s)
        th_error_set(ERR_BUG, __func__, "x was freed before: its scope has ended, or it was dropped");
    else if (s->depth != KEPT && s->thread != self.number)
        th_error_set(ERR_BUG, __func__, "x belongs to a scope of another thread");
    else
        release((uint64_t)(uintptr_t)x, *s);
}

struct tensor *th_alias(struct tensor *x)
{
    return MAKE(IN(x));
}

int64_t th_live(void)
{
    return live_count.load();
}

} // extern "C"
