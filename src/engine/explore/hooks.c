// SPDX-License-Identifier: MIT
/*
 * What -fsanitize=thread calls: one function for each kind of access. Linked with the instrumented
 * objects only, and instead of the sanitizer's library. Not instrumented itself. Layer: engine.
 */
#include "engine/explore/order.h"
#include "engine/explore/store_buffer.h"
#include "engine/explore/xp.h"

#define PC __builtin_return_address(0)

/* In a program of a user's own the C library's functions keep their names: tools/seamlab-cc. */
#ifdef SL_USER_CODE
#define memset  sl_hook_memset
#define memcpy  sl_hook_memcpy
#define memmove sl_hook_memmove
#define memcmp  sl_hook_memcmp
#define bcmp    sl_hook_bcmp
#endif

static inline bool in_ghost(const volatile void *addr)
{
	size_t at = (size_t)((const volatile u8 *)addr - xp.arena);

	return at >= xp.ghost_start && at < xp.ghost_end;
}

/*
 * A granule that two fibers touch, not all of it by atomic accesses, and one of them writes, is learned
 * like a shared word.
 */
static void touch(struct xp_granule *m, bool atomic)
{
	u16 all = m->touched_by | (u16)(1u << xp.cur);

	m->touched_by = all;
	if (!atomic)
		m->flags |= XP_PLAIN;
	if (!(all & (all - 1)) || xp.no_yield ||
	    (m->flags & (XP_WRITTEN | XP_PLAIN)) != (XP_WRITTEN | XP_PLAIN))
		return;
	m->flags |= XP_CONTESTED;
	xp.learned = true;
}

/*
 * The first write to a granule that has been read as if it were a constant: all who read it without
 * remembering what they saw have to do so again. The end of the world comes after all reading.
 */
static void written_first(struct xp_granule *m)
{
	if (xp.no_yield)
		return;
	m->flags |= XP_WRITTEN;
	if (m->touched_by)
		xp.learned = true;
}

static void footprint_keep(u32 granule, u8 mask, bool write, bool atomic, void *pc)
{
	struct xp_footprint *fp = xp.fp;
	u64 bit = 1ull << ((granule * 0x9E3779B1u) >> 26);

	if (write)
		fp->writes |= bit;
	else
		fp->reads |= bit;
	for (u32 i = fp->count; i-- > fp->apart && i + 4 > fp->count;) {
		struct xp_access *a = &fp->access[i];

		if (a->granule == granule && a->atomic == atomic && a->write == write) {
			a->mask |= mask;
			return;
		}
	}
	if (fp->count == XP_FOOTPRINT_MAX) {
		fp->overflow = true;
		return;
	}
	fp->access[fp->count++] = (struct xp_access){
		.granule = granule, .mask = mask, .write = write, .atomic = atomic, .pc = pc
	};
}

/* Only what somebody else touches too can be part of a race. */
static inline void footprint_add(u32 granule, u8 mask, bool write, bool atomic, void *pc)
{
	struct xp_granule *m = &xp.granule[granule];

	if (m->flags & XP_CONTESTED)
		footprint_keep(granule, mask, write, atomic, pc);
	else
		touch(m, atomic);
}

static inline u8 byte_mask(const volatile void *addr, size_t size)
{
	return (u8)(((1u << size) - 1) << ((uintptr_t)addr & 7));
}

/* An invariant reads: each write to what it looks at has to end a step. */
static void watch(const volatile void *addr, size_t size)
{
	if (!xp.watching || !xp_in_arena(addr))
		return;
	FOR_PIECES(addr, size, p, n)
	{
		struct xp_granule *m = &xp.granule[xp_granule_of(p)];

		m->watched |= xp_halves(p, n);
		xp_share(m, m->watched);
	}
}

/*
 * A plain write that an invariant could see, into the store buffer. One that is longer than that pushes
 * out what is there and takes effect at once.
 */
static bool buffer_watched(void *addr, size_t size, void *pc)
{
	u32 pieces = 0;

	FOR_PIECES(addr, size, p, n)
	pieces++;
	if (pieces > xp.slots) {
		sb_fence(pc);
		return false;
	}
	sb_make_room(pieces, pc);
	FOR_PIECES(addr, size, p, n)
	sb_store(p, (u32)n, 0, true, pc);
	return true;
}

/* In front of a plain write that an invariant could see; true if it is buffered. */
static bool before_watched(void *addr, size_t size, void *pc)
{
	u8 watched = 0;

	FOR_PIECES(addr, size, p, n)
	watched |= xp.granule[xp_granule_of(p)].watched & xp_halves(p, n);
	if (!watched || xp.no_yield)
		return false;
	if (xp.slots && buffer_watched(addr, size, pc))
		return true;
	xp.fiber[xp.cur].pending =
		(struct xp_pending){ .kind = XP_ATOMIC, .op = XP_STORE, .addr = addr, .pc = pc };
	xp_yield();
	return false;
}

/*
 * A user's thread is known by its stack (usercode.c). What the hooks leave below it, digests of all
 * that was seen above all, must not get into their next frame: what handles them has a frame of its
 * own, and scrub() wipes that.
 */
#ifdef SL_USER_CODE
#define LEAVES_TRACES __attribute__((noinline))
LEAVES_TRACES void xp_scrub(void)
{
	u64 room[64];

	for (u32 i = 0; i < ARRAY_SIZE(room); i++)
		room[i] = 0;
	__asm__ volatile("" : : "r"(room) : "memory");
}

static inline void scrub(void)
{
	xp_scrub();
}
#else
#define LEAVES_TRACES
static inline void scrub(void)
{
}
#endif

static LEAVES_TRACES void see_plain(void *addr, size_t size, void *pc)
{
	FOR_PIECES(addr, size, p, n)
	{
		u32 g = xp_granule_of(p);
		struct xp_granule *m = &xp.granule[g];

		if (!(m->flags & XP_WRITTEN)) {
			/* As good as a constant. */
			m->touched_by |= (u16)(1u << xp.cur);
			continue;
		}
		xp_found(g);
		xp_saw(*xp_granule(g) >> (((uintptr_t)p & 7) * 8) &
		       (n == 8 ? ~0ull : (1ull << (n * 8)) - 1));
		if (in_ghost(p))
			continue;
		footprint_add(g, byte_mask(p, n), false, false, pc);
		if (xp.order && !xp.no_yield)
			xo_plain(g, byte_mask(p, n), false, pc);
	}
}

static void read_arena(void *addr, size_t size, void *pc)
{
	if (!xp.active) {
		watch(addr, size);
		return;
	}
#ifdef SL_USER_CODE
	/* Somebody may wait for plain data to change. */
	if (++xp.atomics > XP_STEP_ATOMICS_MAX && !xp.no_yield) {
		xp.fiber[xp.cur].pending = (struct xp_pending){ .kind = XP_PAUSE, .pc = pc };
		xp_yield();
	}
#endif
	see_plain(addr, size, pc);
	scrub();
}

/* Most accesses are to the fiber's own stack. */
static inline void plain_read(void *addr, size_t size, void *pc)
{
	if (xp_in_arena(addr))
		read_arena(addr, size, pc);
}

static void write_arena(void *addr, size_t size, void *pc)
{
	bool buffered = false;

	if (!xp.active)
		return;
	if (xp.watching)
		buffered = before_watched(addr, size, pc);
	FOR_PIECES(addr, size, p, n)
	{
		u32 g = xp_granule_of(p);
		struct xp_granule *m = &xp.granule[g];

		xp_log_granule(g);
		if (!buffered && sb_count())
			sb_overwrite(g, byte_mask(p, n));
		if (!(m->flags & XP_WRITTEN))
			written_first(m);
		if (in_ghost(p))
			continue;
		footprint_add(g, byte_mask(p, n), true, false, pc);
		if (xp.order && !xp.no_yield)
			xo_plain(g, byte_mask(p, n), true, pc);
	}
}

static inline void plain_write(void *addr, size_t size, void *pc)
{
	if (xp_in_arena(addr))
		write_arena(addr, size, pc);
}

/* ---- plain accesses ---------------------------------------------------------------------- */

#define PLAIN(size)                                         \
	void __tsan_read##size(void *addr);                 \
	void __tsan_read##size(void *addr)                  \
	{                                                   \
		plain_read(addr, size, PC);                 \
	}                                                   \
	void __tsan_write##size(void *addr);                \
	void __tsan_write##size(void *addr)                 \
	{                                                   \
		plain_write(addr, size, PC);                \
	}                                                   \
	void __tsan_unaligned_read##size(void *addr);       \
	void __tsan_unaligned_read##size(void *addr)        \
	{                                                   \
		plain_read(addr, size, PC);                 \
	}                                                   \
	void __tsan_unaligned_write##size(void *addr);      \
	void __tsan_unaligned_write##size(void *addr)       \
	{                                                   \
		plain_write(addr, size, PC);                \
	}                                                   \
	void __tsan_read_write##size(void *addr);           \
	void __tsan_read_write##size(void *addr)            \
	{                                                   \
		plain_read(addr, size, PC);                 \
		plain_write(addr, size, PC);                \
	}                                                   \
	void __tsan_unaligned_read_write##size(void *addr); \
	void __tsan_unaligned_read_write##size(void *addr)  \
	{                                                   \
		plain_read(addr, size, PC);                 \
		plain_write(addr, size, PC);                \
	}                                                   \
	void __tsan_volatile_read##size(void *addr);        \
	void __tsan_volatile_read##size(void *addr)         \
	{                                                   \
		plain_read(addr, size, PC);                 \
	}                                                   \
	void __tsan_volatile_write##size(void *addr);       \
	void __tsan_volatile_write##size(void *addr)        \
	{                                                   \
		plain_write(addr, size, PC);                \
	}
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *addr, size_t size);
void __tsan_read_range(void *addr, size_t size)
{
	plain_read(addr, size, PC);
}

void __tsan_write_range(void *addr, size_t size);
void __tsan_write_range(void *addr, size_t size)
{
	plain_write(addr, size, PC);
}

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

/* ---- library functions over memory, as both compilers call them --------------------------- */

static void *do_set(void *to, int value, size_t n)
{
	u8 *p = to;

	for (size_t i = 0; i < n; i++) {
		p[i] = (u8)value;
		__asm__ volatile("" ::: "memory");
	}
	return to;
}

static void *do_move(void *to, const void *from, size_t n)
{
	u8 *d = to;
	const u8 *s = from;

	if (d <= s || d >= s + n) {
		for (size_t i = 0; i < n; i++) {
			d[i] = s[i];
			__asm__ volatile("" ::: "memory");
		}
	} else {
		while (n--) {
			d[n] = s[n];
			__asm__ volatile("" ::: "memory");
		}
	}
	return to;
}

void *__tsan_memset(void *to, int value, size_t n);
void *__tsan_memset(void *to, int value, size_t n)
{
	plain_write(to, n, PC);
	return do_set(to, value, n);
}

void *__tsan_memcpy(void *to, const void *from, size_t n);
/* The write comes first: it may end a step, and what was read has to be what is copied. */
void *__tsan_memcpy(void *to, const void *from, size_t n)
{
	plain_write(to, n, PC);
	plain_read((void *)(uintptr_t)from, n, PC);
	return do_move(to, from, n);
}

void *__tsan_memmove(void *to, const void *from, size_t n);
void *__tsan_memmove(void *to, const void *from, size_t n)
{
	plain_write(to, n, PC);
	plain_read((void *)(uintptr_t)from, n, PC);
	return do_move(to, from, n);
}

/* The compilers leave calls of these as they are; clang makes memcmp() == 0 a bcmp(). */
void *memset(void *to, int value, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
int bcmp(const void *a, const void *b, size_t n);

void *memset(void *to, int value, size_t n)
{
	plain_write(to, n, PC);
	return do_set(to, value, n);
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	plain_write(to, n, PC);
	plain_read((void *)(uintptr_t)from, n, PC);
	return do_move(to, from, n);
}

void *memmove(void *to, const void *from, size_t n)
{
	plain_write(to, n, PC);
	plain_read((void *)(uintptr_t)from, n, PC);
	return do_move(to, from, n);
}

static int compare(const u8 *x, const u8 *y, size_t n, void *pc)
{
	plain_read((void *)(uintptr_t)x, n, pc);
	plain_read((void *)(uintptr_t)y, n, pc);
	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

int memcmp(const void *a, const void *b, size_t n)
{
	return compare(a, b, n, PC);
}

int bcmp(const void *a, const void *b, size_t n)
{
	return compare(a, b, n, PC);
}

/* ---- atomics ------------------------------------------------------------------------------ */

/*
 * Does the access only count readers (or, for a counter, events) up and down, or look at the word to
 * do so? @delta is what a compare-and-swap would add to it.
 */
static bool counts_only(u8 kind, enum xp_atomic op, u64 delta)
{
	u16 reader;

	if (op == XP_ADD || op == XP_SUB)
		return true;
	switch (kind) {
	case XP_WORD_SHAREX:
		reader = 2;
		break;
	case XP_WORD_SHAREX_HP:
		reader = 4;
		break;
	default:
		return false;
	}
	return op == XP_LOAD ||
	       (op == XP_CAS && ((u16)delta == reader || (u16)delta == (u16)-reader));
}

static void note_access(struct xp_granule *m, u32 half, enum xp_atomic op, u64 delta)
{
	if (op == XP_LOAD)
		m->read_by[half] |= (u16)(1u << xp.cur);
	else
		m->written_by[half] |= (u16)(1u << xp.cur);
	if (!counts_only(m->kind[half], op, delta))
		m->decides |= (u8)(1u << half);
	xp_learn(m, half);
}

/* The step has gone on for too long without a scheduling point; see XP_STEP_ATOMICS_MAX. */
static void end_spinning(volatile void *addr, u8 size, void *pc)
{
	if (xp.spins == XP_SPINS_MAX) {
		xp_share(&xp.granule[xp_granule_of(addr)], xp_halves(addr, size));
		return;
	}
	xp.spins++;
	xp.learned = true;
	xp.fiber[xp.cur].pending = (struct xp_pending){ .kind = XP_PAUSE, .pc = pc };
	xp_yield();
}

/* Half-words that are no scheduling point yet. */
static void note_halves(volatile void *addr, u8 size, enum xp_atomic op, u64 delta)
{
	FOR_PIECES(addr, size, p, n)
	{
		struct xp_granule *m = &xp.granule[xp_granule_of(p)];

		xp_refresh(m);
		for (u32 half = 0; half < 4; half++)
			if (xp_halves(p, n) >> half & 1)
				note_access(m, half, op, delta);
	}
}

/* An access to words that are no scheduling point yet. */
static void note_accesses(volatile void *addr, u8 size, enum xp_atomic op, u64 delta, void *pc)
{
	note_halves(addr, size, op, delta);
	if (++xp.atomics > XP_STEP_ATOMICS_MAX)
		end_spinning(addr, size, pc);
}

static inline bool is_shared(volatile void *addr, u8 size)
{
	const struct xp_granule *m = &xp.granule[xp_granule_of(addr)];

	return (m->shared & xp_halves(addr, size)) || (size == 16 && m[1].shared);
}

/* Is there a half of the word that is no scheduling point, and that others may meet alone? */
static inline bool has_unshared(volatile void *addr, u8 size)
{
	const struct xp_granule *m = &xp.granule[xp_granule_of(addr)];

	return (xp_halves(addr, size) & ~m->shared) || (size == 16 && m[1].shared != 0xF);
}

/* Is it the access of an instruction that waits for the store buffer to be empty? */
static inline bool is_locked(const volatile void *addr, u8 size, enum xp_atomic op, int mo)
{
	return op != XP_LOAD &&
	       (op != XP_STORE || mo == __ATOMIC_SEQ_CST || ((uintptr_t)addr & 7) + size > 8);
}

/*
 * An access to a word of which not all is a scheduling point: is it one? Also a locked instruction is while
 * stores are in the buffer. Not part of a frame that stands on the stack while others run.
 */
static __attribute__((noinline)) bool is_point(volatile void *addr, u8 size, enum xp_atomic op,
					       u64 delta, bool locked, void *pc)
{
	if (is_shared(addr, size)) {
		note_halves(addr, size, op, delta);
		return true;
	}
	note_accesses(addr, size, op, delta, pc);
	if (!locked || !xp.slots)
		return false;
	if (sb_count())
		return true;
	/* As if it had waited. */
	xp_saw(0);
	return false;
}

/*
 * In front of every atomic access: the scheduling point, if the word is shared. Returns true if the
 * access counts.
 */
static inline bool before_atomic(volatile void *addr, u8 size, enum xp_atomic op, u64 delta, int mo,
				 void *pc)
{
	bool locked = is_locked(addr, size, op, mo);
	bool commutes = false;

	if (!xp_in_arena(addr))
		return false;
	if (!xp.active) {
		watch(addr, size);
		return false;
	}
	if (xp.no_yield || in_ghost(addr))
		return true;
	if (__builtin_expect(xp.commutes != NULL, 0)) {
		commutes = xp.commutes == addr;
		xp.commutes = NULL;
	}
	if (has_unshared(addr, size) && !is_point(addr, size, op, delta, locked, pc))
		return true;
	if (commutes && !xp.audit)
		return true;
	xp.fiber[xp.cur].pending = (struct xp_pending){ .kind = XP_ATOMIC,
							.op = (u8)op,
							.size = size,
							.drains = locked,
							.commutes = commutes,
							.addr = (void *)addr,
							.pc = pc };
	xp_yield();
	return true;
}

/*
 * What a fiber learns from the old value of a word that it touched. Of a lock word's reader count it
 * learns nothing but by a compare-and-swap of its own, which says the count it has seen.
 */
static void saw_word(volatile void *addr, enum xp_atomic op, u64 before, bool swapped)
{
	const struct xp_granule *m = &xp.granule[xp_granule_of(addr)];
	u32 half = (u32)(xp_offset(addr) >> 1 & 3);
	bool counting = op == XP_ADD || op == XP_SUB;
	bool decides = m->decides >> half & 1;

	switch (m->kind[half]) {
	case XP_WORD_COUNTER:
		if (counting)
			return;
		break;
	case XP_WORD_SHAREX:
		if (counting || !decides || (before & 1))
			before &= 1;
		else if (swapped)
			before = 0;
		break;
	case XP_WORD_SHAREX_HP:
		if (counting || !decides || (before & 1))
			before &= 3;
		else if (swapped)
			before = 0;
		break;
	default:
		break;
	}
	xp_saw(before << 1 | swapped);
}

/* Does the store go into the buffer? */
static bool is_buffered(volatile void *addr, u8 size, enum xp_atomic op, int mo)
{
	return xp.slots && op == XP_STORE && !is_locked(addr, size, op, mo) && !xp.no_yield &&
	       !in_ghost(addr) && is_shared(addr, size);
}

static LEAVES_TRACES void buffer_store(volatile void *addr, u8 size, u64 value, void *pc)
{
	sb_store(addr, size, value, false, pc);
}

/* In front of an atomic store of at most 8 bytes. Returns true if it counts. */
static bool before_store(volatile void *addr, u8 size, u64 value, int mo, void *pc)
{
	if (xp.slots && xp.active && xp_in_arena(addr)) {
		if (is_buffered(addr, size, XP_STORE, mo)) {
			if (has_unshared(addr, size))
				note_halves(addr, size, XP_STORE, 0);
			sb_make_room(1, pc);
			buffer_store(addr, size, value, pc);
			return true;
		}
		if (sb_count() && !is_locked(addr, size, XP_STORE, mo))
			sb_overwrite(xp_granule_of(addr), byte_mask(addr, size));
	}
	return before_atomic(addr, size, XP_STORE, 0, mo, pc);
}

static LEAVES_TRACES void see_atomic(volatile void *addr, u8 size, enum xp_atomic op, u64 before,
				     u64 after, int mo, void *pc)
{
	u32 g = xp_granule_of(addr);
	struct xp_granule *m = &xp.granule[g];
	struct xp_event *e;

	/* What was written has been found by the undo log. */
	if ((op == XP_LOAD || before == after) && (m->flags & XP_WRITTEN))
		xp_found(g);
	if (size == 16)
		xp_found(g + 1);
	if (op != XP_LOAD && !(m->flags & XP_WRITTEN))
		written_first(m);
	if (size == 16 || (m->flags & XP_WRITTEN))
		saw_word(addr, op, before, op == XP_CAS && before != after);
	else
		m->touched_by |= (u16)(1u << xp.cur);
	if (!in_ghost(addr) && (m->flags & XP_WRITTEN)) {
		footprint_add(g, size >= 8 ? 0xFF : byte_mask(addr, size), op != XP_LOAD, true, pc);
		if (size == 16)
			footprint_add(g + 1, 0xFF, op != XP_LOAD, true, pc);
	}
	if (xp.order && !xp.no_yield && !in_ghost(addr))
		xo_atomic(addr, size, op, before != after, mo, pc);
	if (!xp.recording || xp.event_count >= XP_ACCESSES_MAX)
		return;
	e = &xp.event[xp.event_count++];
	*e = (struct xp_event){ .kind = XP_EVENT_ATOMIC,
				.op = (u8)op,
				.when = is_buffered(addr, size, op, mo) ? XP_EVENT_BUFFERED
									: XP_EVENT_AT_ONCE,
				.size = size,
				.addr = (void *)addr,
				.pc = pc,
				.before = before,
				.after = after };
}

static void after_atomic(volatile void *addr, u8 size, enum xp_atomic op, u64 before, u64 after,
			 int mo, void *pc)
{
	see_atomic(addr, size, op, before, after, mo, pc);
	scrub();
}

#define ATOMIC_RMW(bits, name, op, expr)                                                       \
	u##bits __tsan_atomic##bits##_##name(volatile u##bits *a, u##bits v, int mo);          \
	u##bits __tsan_atomic##bits##_##name(volatile u##bits *a, u##bits v, int mo)           \
	{                                                                                      \
		bool counts = before_atomic(a, bits / 8, op, 0, mo, PC);                       \
		u##bits old;                                                                   \
                                                                                               \
		if (!counts) {                                                                 \
			u##bits new;                                                           \
			old = __atomic_load_n(a, __ATOMIC_SEQ_CST);                            \
			do                                                                     \
				new = (u##bits)(expr);                                         \
			while (!__atomic_compare_exchange_n(a, &old, new, 0, __ATOMIC_SEQ_CST, \
							    __ATOMIC_SEQ_CST));                \
			return old;                                                            \
		}                                                                              \
		xp_log_write((void *)a, bits / 8);                                             \
		old = *a;                                                                      \
		*a = (u##bits)(expr);                                                          \
		after_atomic(a, bits / 8, op, (u64)old, (u64)*a, mo, PC);                      \
		return old;                                                                    \
	}

#define ATOMIC_CAS(bits, name)                                                             \
	int __tsan_atomic##bits##_compare_exchange_##name(volatile u##bits *a, u##bits *c, \
							  u##bits v, int mo, int fmo);     \
	int __tsan_atomic##bits##_compare_exchange_##name(volatile u##bits *a, u##bits *c, \
							  u##bits v, int mo, int fmo)      \
	{                                                                                  \
		bool counts = before_atomic(a, bits / 8, XP_CAS, (u64)v - *c, mo, PC);     \
		u##bits old;                                                               \
                                                                                           \
		plain_read(c, bits / 8, PC);                                               \
		if (!counts)                                                               \
			return __atomic_compare_exchange_n(a, c, v, 0, __ATOMIC_SEQ_CST,   \
							   __ATOMIC_SEQ_CST);              \
		old = *a;                                                                  \
		if (old == *c) {                                                           \
			xp_log_write((void *)a, bits / 8);                                 \
			*a = v;                                                            \
			after_atomic(a, bits / 8, XP_CAS, (u64)old, (u64)v, mo, PC);       \
			return 1;                                                          \
		}                                                                          \
		after_atomic(a, bits / 8, XP_CAS, (u64)old, (u64)old, fmo, PC);            \
		plain_write(c, bits / 8, PC);                                              \
		*c = old;                                                                  \
		return 0;                                                                  \
	}

/* fmo differs between the compilers' calls only in being there. */
#define ATOMIC(bits)                                                                             \
	u##bits __tsan_atomic##bits##_load(const volatile u##bits *a, int mo);                   \
	u##bits __tsan_atomic##bits##_load(const volatile u##bits *a, int mo)                    \
	{                                                                                        \
		if (!before_atomic((volatile void *)(uintptr_t)a, bits / 8, XP_LOAD, 0, mo, PC)) \
			return __atomic_load_n(a, __ATOMIC_SEQ_CST);                             \
		after_atomic((volatile void *)(uintptr_t)a, bits / 8, XP_LOAD, (u64)*a, (u64)*a, \
			     mo, PC);                                                            \
		return *a;                                                                       \
	}                                                                                        \
	void __tsan_atomic##bits##_store(volatile u##bits *a, u##bits v, int mo);                \
	void __tsan_atomic##bits##_store(volatile u##bits *a, u##bits v, int mo)                 \
	{                                                                                        \
		u##bits old;                                                                     \
                                                                                                 \
		if (!before_store(a, bits / 8, (u64)v, mo, PC)) {                                \
			__atomic_store_n(a, v, __ATOMIC_SEQ_CST);                                \
			return;                                                                  \
		}                                                                                \
		xp_log_write((void *)a, bits / 8);                                               \
		old = *a;                                                                        \
		*a = v;                                                                          \
		after_store(a, bits / 8, (u64)old, (u64)v, mo, PC);                              \
	}                                                                                        \
	ATOMIC_RMW(bits, exchange, XP_XCHG, v)                                                   \
	ATOMIC_RMW(bits, fetch_add, XP_ADD, old + v)                                             \
	ATOMIC_RMW(bits, fetch_sub, XP_SUB, old - v)                                             \
	ATOMIC_RMW(bits, fetch_and, XP_AND, old &v)                                              \
	ATOMIC_RMW(bits, fetch_or, XP_OR, old | v)                                               \
	ATOMIC_RMW(bits, fetch_xor, XP_XOR, old ^ v)                                             \
	ATOMIC_RMW(bits, fetch_nand, XP_NAND, ~(old & v))                                        \
	ATOMIC_CAS(bits, strong)                                                                 \
	ATOMIC_CAS(bits, weak)                                                                   \
	u##bits __tsan_atomic##bits##_compare_exchange_val(volatile u##bits *a, u##bits c,       \
							   u##bits v, int mo, int fmo);          \
	u##bits __tsan_atomic##bits##_compare_exchange_val(volatile u##bits *a, u##bits c,       \
							   u##bits v, int mo, int fmo)           \
	{                                                                                        \
		bool counts = before_atomic(a, bits / 8, XP_CAS, (u64)v - c, mo, PC);            \
		u##bits old = c;                                                                 \
                                                                                                 \
		if (!counts) {                                                                   \
			__atomic_compare_exchange_n(a, &old, v, 0, __ATOMIC_SEQ_CST,             \
						    __ATOMIC_SEQ_CST);                           \
			return old;                                                              \
		}                                                                                \
		old = *a;                                                                        \
		if (old == c) {                                                                  \
			xp_log_write((void *)a, bits / 8);                                       \
			*a = v;                                                                  \
		}                                                                                \
		after_atomic(a, bits / 8, XP_CAS, (u64)old, (u64)*a, old == c ? mo : fmo, PC);   \
		return old;                                                                      \
	}

/* A store sees nothing of what was there. */
static LEAVES_TRACES void see_store(volatile void *addr, u8 size, u64 before, u64 after, int mo,
				    void *pc)
{
	u64 hist = xp.fiber[xp.cur].hist;

	see_atomic(addr, size, XP_STORE, before, after, mo, pc);
	xp.fiber[xp.cur].hist = hist;
}

static void after_store(volatile void *addr, u8 size, u64 before, u64 after, int mo, void *pc)
{
	see_store(addr, size, before, after, mo, pc);
	scrub();
}

ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

typedef unsigned __int128 u128;

/* Seen are both halves; the table of a replay shows the lower one. */
static u128 done128(volatile u128 *a, enum xp_atomic op, u128 before, u128 after, int mo, void *pc)
{
	if (xp.active && xp_in_arena(a)) {
		if (op != XP_STORE)
			xp_saw((u64)(before >> 64));
		if (op == XP_STORE)
			after_store(a, 16, (u64)before, (u64)after, mo, pc);
		else
			after_atomic(a, 16, op, (u64)before, (u64)after, mo, pc);
		if (op != XP_LOAD && !(xp.granule[xp_granule_of(a) + 1].flags & XP_WRITTEN))
			written_first(&xp.granule[xp_granule_of(a) + 1]);
	}
	return before;
}

u128 __tsan_atomic128_load(const volatile u128 *a, int mo);
u128 __tsan_atomic128_load(const volatile u128 *a, int mo)
{
	volatile u128 *at = (volatile u128 *)(uintptr_t)a;

	before_atomic(at, 16, XP_LOAD, 0, mo, PC);
	return done128(at, XP_LOAD, *a, *a, mo, PC);
}

/* Outside of a fiber nobody else runs. */
#define ATOMIC_128(type, name, op, expr, result)                        \
	type __tsan_atomic128_##name(volatile u128 *a, u128 v, int mo); \
	type __tsan_atomic128_##name(volatile u128 *a, u128 v, int mo)  \
	{                                                               \
		u128 old;                                               \
                                                                        \
		before_atomic(a, 16, op, 0, mo, PC);                    \
		xp_log_write((void *)(uintptr_t)a, 16);                 \
		old = *a;                                               \
		*a = expr;                                              \
		done128(a, op, old, *a, mo, PC);                        \
		return result;                                          \
	}

ATOMIC_128(void, store, XP_STORE, v, )
ATOMIC_128(u128, exchange, XP_XCHG, v, old)
ATOMIC_128(u128, fetch_add, XP_ADD, old + v, old)
ATOMIC_128(u128, fetch_sub, XP_SUB, old - v, old)
ATOMIC_128(u128, fetch_and, XP_AND, old &v, old)
ATOMIC_128(u128, fetch_or, XP_OR, old | v, old)
ATOMIC_128(u128, fetch_xor, XP_XOR, old ^ v, old)
ATOMIC_128(u128, fetch_nand, XP_NAND, ~(old &v), old)

u128 __tsan_atomic128_compare_exchange_val(volatile u128 *a, u128 c, u128 v, int mo, int fmo);
u128 __tsan_atomic128_compare_exchange_val(volatile u128 *a, u128 c, u128 v, int mo, int fmo)
{
	u128 old;

	before_atomic(a, 16, XP_CAS, (u64)v - (u64)c, mo, PC);
	old = *a;
	if (old == c) {
		xp_log_write((void *)(uintptr_t)a, 16);
		*a = v;
	}
	return done128(a, old == c ? XP_CAS : XP_LOAD, old, *a, old == c ? mo : fmo, PC);
}

#define CAS_128(name)                                                                           \
	int __tsan_atomic128_compare_exchange_##name(volatile u128 *a, u128 *c, u128 v, int mo, \
						     int fmo);                                  \
	int __tsan_atomic128_compare_exchange_##name(volatile u128 *a, u128 *c, u128 v, int mo, \
						     int fmo)                                   \
	{                                                                                       \
		u128 old;                                                                       \
                                                                                                \
		before_atomic(a, 16, XP_CAS, (u64)v - (u64)*c, mo, PC);                         \
		plain_read(c, 16, PC);                                                          \
		old = *a;                                                                       \
		if (old == *c) {                                                                \
			xp_log_write((void *)(uintptr_t)a, 16);                                 \
			*a = v;                                                                 \
			done128(a, XP_CAS, old, v, mo, PC);                                     \
			return 1;                                                               \
		}                                                                               \
		done128(a, XP_LOAD, old, old, fmo, PC);                                         \
		plain_write(c, 16, PC);                                                         \
		*c = old;                                                                       \
		return 0;                                                                       \
	}

CAS_128(strong)
CAS_128(weak)

void __tsan_atomic_thread_fence(int mo);
void __tsan_atomic_thread_fence(int mo)
{
	if (xp.order && xp.active && !xp.no_yield)
		xo_fence(mo);
	if (mo == __ATOMIC_SEQ_CST && xp.slots && xp.active && !xp.no_yield) {
		sb_fence(PC);
		scrub();
	}
}

void __tsan_atomic_signal_fence(int mo);
void __tsan_atomic_signal_fence(int mo)
{
	(void)mo;
}
