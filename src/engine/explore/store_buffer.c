// SPDX-License-Identifier: MIT
/* Store buffers. Runs on fibers, not instrumented. Layer: engine. */
#include "engine/explore/store_buffer.h"

#include <string.h>

#include "base/bug.h"
#include "engine/explore/region.h"

#define LOG (1ull << 34)
/* Where the digest of a buffer begins, if histories are numbers: see xp_checkpoint(). */
#define DIGEST_BASE (XP_LANES_MAX * 2 + 1)

struct sb_buffer sb_buffers[XP_LANES_MAX];
size_t sb_log_used;

/* A granule in which the running lane sees stores of its own, and what is really there. */
struct view {
	u32 granule;
	u8 mask;
	u64 real;
};

static struct {
	struct view view[SB_STORES_MAX];
	u32 views;
	u32 lanes;
	u8 *log;
} sb;

/* The bytes of @mask. */
static u64 bits(u8 mask)
{
	u64 v = (mask * 0x0101010101010101ull) & 0x8040201008040201ull;

	/* One bit in each byte that counts: all of its bits. */
	v = ((v + 0x7F7F7F7F7F7F7F7Full) | v) & 0x8080808080808080ull;
	return (v >> 7) * 0xFF;
}

static u64 merge(u64 old, u8 mask, u64 value)
{
	return (old & ~bits(mask)) | (value & bits(mask));
}

bool sb_open(u32 slots, u32 lanes, u32 first)
{
	SL_BUG_ON(slots > SB_STORES_MAX || lanes > (slots ? XP_STORING_MAX : XP_LANES_MAX));
	sb.lanes = lanes;
	sb_log_used = 0;
	xp.slots = slots;
	xp.first_flush = slots ? first : XP_MOVERS_MAX;
	if (slots && !sb.log)
		sb.log = region_map_huge(LOG);
	sb_start();
	return !slots || sb.log;
}

void sb_close(void)
{
	region_unmap(sb.log, LOG);
	sb.log = NULL;
}

void sb_start(void)
{
	for (u32 i = 0; i < XP_LANES_MAX; i++) {
		sb_buffers[i].count = 0;
		sb_buffers[i].digest = 0;
	}
	for (u32 i = 0; xp.slots && i < sb.lanes; i++)
		xp.fiber[xp.first_flush + i].pending = (struct xp_pending){ .kind = XP_FLUSH };
	sb_log_used = 0;
}

/* ---- the log --------------------------------------------------------------------------------- */

struct record {
	u32 lane, count;
	u64 digest;
};

static size_t record_size(u32 count)
{
	return sizeof(struct record) + count * sizeof(struct sb_store);
}

bool sb_log_has_room(void)
{
	return sb_log_used + record_size(SB_STORES_MAX) <= LOG;
}

static void keep(u32 lane)
{
	const struct sb_buffer *b = &sb_buffers[lane];
	const struct record r = { .lane = lane, .count = b->count, .digest = b->digest };
	size_t size = b->count * sizeof(b->store[0]);

	SL_BUG_ON(!sb_has_room());
	memcpy(sb.log + sb_log_used, b->store, size);
	memcpy(sb.log + sb_log_used + size, &r, sizeof(r));
	sb_log_used += size + sizeof(r);
}

void sb_undo_to(size_t mark)
{
	while (sb_log_used > mark) {
		struct sb_buffer *b;
		struct record r;

		memcpy(&r, sb.log + sb_log_used - sizeof(r), sizeof(r));
		sb_log_used -= record_size(r.count);
		b = &sb_buffers[r.lane];
		b->count = r.count;
		b->digest = r.digest;
		memcpy(b->store, sb.log + sb_log_used, r.count * sizeof(b->store[0]));
	}
}

/* ---- on a fiber ------------------------------------------------------------------------------ */

static struct view *view_of(u32 granule)
{
	for (u32 i = 0; i < sb.views; i++)
		if (sb.view[i].granule == granule)
			return &sb.view[i];
	return NULL;
}

/* From here on the running lane alone sees what is in @mask. */
static void hide(u32 granule, u8 mask)
{
	struct view *v = view_of(granule);
	u64 now = *xp_granule(granule);

	xp_log_granule(granule);
	if (!v) {
		SL_BUG_ON(sb.views == SB_STORES_MAX);
		v = &sb.view[sb.views++];
		*v = (struct view){ .granule = granule };
	}
	v->real = merge(v->real, (u8)(mask & ~v->mask), now);
	v->mask |= mask;
}

/* Plain stores have been made by now. */
static void close_open(struct sb_buffer *b)
{
	for (u32 i = b->count; i-- && b->store[i].open;) {
		struct sb_store *s = &b->store[i];

		s->open = false;
		s->value = *xp_granule(s->granule) & bits(s->mask);
	}
}

/* Until no more than @most are on their way. True if it had to. */
static bool wait_until(u32 most, void *pc)
{
	/* Whether it has to wait makes no difference to what it does next. */
	if (sb_count() <= most) {
		xp_saw(0);
		return false;
	}
	xp.fiber[xp.cur].pending = (struct xp_pending){ .kind = XP_FENCE, .n = most, .pc = pc };
	xp_yield();
	return true;
}

void sb_fence(void *pc)
{
	if (xp.slots)
		wait_until(0, pc);
}

void sb_make_room(u32 stores, void *pc)
{
	xp.buffer_full |= wait_until(xp.slots - stores, pc);
}

static struct sb_store *append(struct sb_buffer *b, u32 granule, u8 mask, void *pc)
{
	struct sb_store *s = &b->store[b->count++];

	SL_BUG_ON(b->count > xp.slots);
	*s = (struct sb_store){
		.granule = granule, .mask = mask, .before = xp.fp->count, .pc = pc
	};
	xp.fp->apart = xp.fp->count;
	return s;
}

void sb_store(volatile void *addr, u32 size, u64 value, bool open, void *pc)
{
	struct sb_buffer *b = &sb_buffers[xp.cur];
	u32 at = (u32)((uintptr_t)addr & 7), granule = xp_granule_of(addr);
	u8 mask = (u8)(((1u << size) - 1) << at);
	struct sb_store *s;

	close_open(b);
	hide(granule, mask);
	s = append(b, granule, mask, pc);
	s->open = open;
	s->value = value << (at * 8) & bits(mask);
}

void sb_unlock(u32 *word, void *pc)
{
	struct sb_buffer *b = &sb_buffers[xp.cur];

	close_open(b);
	append(b, xp_granule_of(word), 0, pc)->unlock = true;
}

void sb_overwrite(u32 granule, u8 mask)
{
	struct sb_buffer *b = &sb_buffers[xp.cur];
	struct view *v = view_of(granule);
	u32 left = 0;

	close_open(b);
	if (!v || !(v->mask & mask))
		return;
	v->mask &= (u8)~mask;
	for (u32 i = 0; i < b->count; i++) {
		struct sb_store s = b->store[i];

		if (s.granule == granule && !s.unlock) {
			s.mask &= (u8)~mask;
			s.value &= bits(s.mask);
			if (!s.mask)
				continue;
		}
		b->store[left++] = s;
	}
	b->count = left;
}

/* ---- around steps ---------------------------------------------------------------------------- */

static void digest(struct sb_buffer *b)
{
	u64 h = DIGEST_BASE;

	for (u32 i = 0; i < b->count; i++) {
		const struct sb_store *s = &b->store[i];

		h = xp_history(h, (u64)s->granule << 16 | (u64)s->unlock << 8 | s->mask);
		h = xp_history(h, s->value);
	}
	b->digest = b->count ? h : 0;
}

void sb_step_begins(u32 lane)
{
	struct sb_buffer *b = &sb_buffers[lane];

	keep(lane);
	sb.views = 0;
	for (u32 i = 0; i < b->count; i++) {
		struct sb_store *s = &b->store[i];

		s->before = SB_EARLIER;
		if (s->unlock)
			continue;
		hide(s->granule, s->mask);
		*xp_granule(s->granule) = merge(*xp_granule(s->granule), s->mask, s->value);
	}
}

void sb_step_ends(u32 lane)
{
	struct sb_buffer *b = &sb_buffers[lane];
	u32 released = xp.fp->released;

	close_open(b);
	for (u32 i = 0; i < sb.views; i++) {
		const struct view *v = &sb.view[i];

		*xp_granule(v->granule) = merge(*xp_granule(v->granule), v->mask, v->real);
	}
	/* What was released is not kept. */
	for (u32 i = 0; i < b->count; i++)
		if (b->store[i].before != SB_EARLIER)
			b->store[i].before -=
				b->store[i].before < released ? b->store[i].before : released;
	digest(b);
}

static void record(const struct sb_store *s, u64 before)
{
	u32 at = s->unlock ? 0 : (u32)__builtin_ctz(s->mask);
	u32 size = s->unlock ? 4 : (u32)__builtin_popcount(s->mask);

	if (!xp.recording || xp.event_count >= XP_ACCESSES_MAX)
		return;
	xp.event[xp.event_count++] =
		(struct xp_event){ .kind = XP_EVENT_ATOMIC,
				   .op = XP_STORE,
				   .when = XP_EVENT_FLUSHED,
				   .size = (u8)size,
				   .addr = (u8 *)xp_granule(s->granule) + at,
				   .pc = s->pc,
				   .before = (before & bits(s->mask)) >> (at * 8),
				   .after = s->value >> (at * 8) };
}

void sb_flush(u32 lane)
{
	struct sb_buffer *b = &sb_buffers[lane];
	const struct sb_store s = b->store[0];
	u64 *at = xp_granule(s.granule), before = *at;

	keep(lane);
	xp_log_granule(s.granule);
	if (s.unlock)
		*(u32 *)(void *)at &= ~XP_LOCK_HELD;
	else
		*at = merge(before, s.mask, s.value);
	record(&s, before);
	xp.flushed_before = s.before;
	memmove(b->store, b->store + 1, --b->count * sizeof(b->store[0]));
	/* Those accesses are no longer among the lane's last ones. */
	for (u32 i = 0; i < b->count && s.before != SB_EARLIER; i++)
		if (b->store[i].before != SB_EARLIER)
			b->store[i].before -= s.before;
	digest(b);
}

u32 sb_load(u32 lane, const u32 *word)
{
	const struct sb_buffer *b = &sb_buffers[lane];
	u32 granule = xp_granule_of(word);
	u64 v = *xp_granule(granule);

	for (u32 i = 0; i < b->count; i++)
		if (b->store[i].granule == granule && !b->store[i].unlock)
			v = merge(v, b->store[i].mask, b->store[i].value);
	return (u32)(v >> (((uintptr_t)word & 4) * 8));
}
