// SPDX-License-Identifier: MIT
/* Paths as bytes, and back. Layer: engine. */
#include "engine/explore/path.h"

#include "base/bug.h"

/*
 * The last state of a path that was just entered has not been expanded, and what its frame says of
 * successors is of another state.
 */
static u32 expanded(const struct search *s, bool entered)
{
	return s->depth - entered;
}

static u32 left_in(const struct search *s, const struct frame *f)
{
	u32 n = 0;

	for (u32 i = 0; i < f->succ_left; i++)
		n += s->succ[f->succ_base + i].fresh;
	return n;
}

u64 path_left(const struct search *s, bool entered)
{
	u64 n = 0;

	for (u32 i = 0; i < expanded(s, entered); i++)
		n += left_in(s, &s->frame[i]);
	return n;
}

/* Frames until the one in which the successor number @most is. */
static u32 frames_with(const struct search *s, u32 frames, u64 most, u64 *succs)
{
	*succs = 0;
	for (u32 i = 0; i < frames; i++) {
		*succs += left_in(s, &s->frame[i]);
		if (*succs >= most) {
			*succs = most;
			return i + 1;
		}
	}
	return frames;
}

static u32 write_from(struct search *s, const struct frame *f, struct path_succ *to, u64 most,
		      bool give)
{
	u32 n = 0;

	for (u32 i = 0; i < f->succ_left && n < most; i++) {
		struct succ *from = &s->succ[f->succ_base + i];

		if (!from->fresh)
			continue;
		to[n++] = (struct path_succ){ .key = from->key,
					      .fiber = from->fiber,
					      .choice = from->choice };
		from->fresh = !give;
	}
	return n;
}

static size_t size_of(u32 frames, u64 succs)
{
	return sizeof(struct path_head) + frames * sizeof(struct path_frame) +
	       succs * sizeof(struct path_succ);
}

/* Frames up to @frames, and of the successors of those that were expanded the first @succs. */
static void write_path(struct search *s, u32 frames, u64 succs, bool entered, bool give, void *to)
{
	struct path_head *head = to;
	struct path_frame *frame = (void *)(head + 1);
	/* Head and frames are multiples of 8 bytes, so that what comes behind them is aligned. */
	struct path_succ *succ = (void *)(frame + frames);
	u64 at = 0;

	*head = (struct path_head){ .frames = frames, .succs = (u32)succs, .entered = entered };
	for (u32 i = 0; i < frames; i++) {
		const struct frame *f = &s->frame[i];

		frame[i] = (struct path_frame){ .fiber = f->mover, .choice = f->choice };
		if (i < frames - entered)
			frame[i].succs = write_from(s, f, succ + at, succs - at, give);
		at += frame[i].succs;
	}
	SL_BUG_ON(at != succs);
}

size_t path_give(struct search *s, bool entered, u64 most, void *to, size_t room)
{
	u64 succs;
	u32 frames = frames_with(s, expanded(s, entered), most, &succs);
	size_t size = size_of(frames, succs);

	if (size > room)
		return 0;
	write_path(s, frames, succs, false, true, to);
	return size;
}

size_t path_size(const struct search *s, bool entered)
{
	return size_of(s->depth, path_left(s, entered));
}

size_t path_leave(struct search *s, bool entered, void *to, size_t room)
{
	size_t size = path_size(s, entered);

	if (size > room)
		return 0;
	write_path(s, s->depth, path_left(s, entered), entered, false, to);
	return size;
}

_Static_assert(sizeof(struct path_head) % 8 == 0 && sizeof(struct path_frame) == 8, "alignment");

bool path_is_whole(const void *from, size_t size)
{
	const struct path_head *head = from;
	const struct path_frame *frame = (const void *)(head + 1);
	u64 succs = 0;

	if (size < sizeof(*head) || !head->frames || head->frames >= DEPTH_MAX ||
	    head->succs >= SUCC_STORE || head->entered > 1 ||
	    size != size_of(head->frames, head->succs))
		return false;
	for (u32 i = 0; i < head->frames; i++)
		succs += frame[i].succs;
	return succs == head->succs;
}

bool path_take(struct search *s, const void *from)
{
	const struct path_head *head = from;
	const struct path_frame *frame = (const void *)(head + 1);
	const struct path_succ *succ = (const void *)(frame + head->frames);

	if (!search_begin(s))
		return false;
	for (u32 i = 0; i < head->frames; i++) {
		struct frame *f = &s->frame[i];

		if (i && !search_go(s, frame[i].fiber, frame[i].choice))
			return false;
		f->succ_base = s->succ_count;
		f->succ_left = frame[i].succs;
		for (u32 n = 0; n < frame[i].succs; n++, succ++)
			s->succ[s->succ_count++] = (struct succ){ .key = succ->key,
								  .fiber = succ->fiber,
								  .choice = succ->choice,
								  .fresh = true };
	}
	return true;
}
