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

static u32 give_from(struct search *s, const struct frame *f, struct path_succ *to, u64 most)
{
	u32 n = 0;

	for (u32 i = 0; i < f->succ_left && n < most; i++) {
		struct succ *from = &s->succ[f->succ_base + i];

		if (!from->fresh)
			continue;
		to[n++] = (struct path_succ){ .key = from->key,
					      .fiber = from->fiber,
					      .choice = from->choice };
		from->fresh = false;
	}
	return n;
}

size_t path_give(struct search *s, bool entered, u64 most, void *to, size_t room)
{
	u64 succs, at = 0;
	u32 frames = frames_with(s, expanded(s, entered), most, &succs);
	struct path_head *head = to;
	struct path_frame *frame = (void *)(head + 1);
	/* Frames are 8 bytes, so that what comes behind them is aligned. */
	struct path_succ *succ = (void *)(frame + frames);
	size_t size = sizeof(*head) + frames * sizeof(*frame) + succs * sizeof(*succ);

	if (size > room)
		return 0;
	*head = (struct path_head){ .frames = frames, .succs = (u32)succs };
	for (u32 i = 0; i < frames; i++) {
		const struct frame *f = &s->frame[i];

		frame[i] = (struct path_frame){ .fiber = f->mover, .choice = f->choice };
		frame[i].succs = give_from(s, f, succ + at, succs - at);
		at += frame[i].succs;
	}
	SL_BUG_ON(at != succs);
	return size;
}

_Static_assert(sizeof(struct path_head) == 8 && sizeof(struct path_frame) == 8, "alignment");

void path_take(struct search *s, const void *from)
{
	const struct path_head *head = from;
	const struct path_frame *frame = (const void *)(head + 1);
	const struct path_succ *succ = (const void *)(frame + head->frames);

	s->depth = 1;
	s->succ_count = 0;
	s->frame[0] = (struct frame){ .mover = 0xFF, .ran = 0xFF };
	for (u32 i = 0; i < head->frames; i++) {
		struct frame *f = &s->frame[i];

		if (i)
			search_go(s, frame[i].fiber, frame[i].choice);
		f->succ_base = s->succ_count;
		f->succ_left = frame[i].succs;
		for (u32 n = 0; n < frame[i].succs; n++, succ++)
			s->succ[s->succ_count++] = (struct succ){ .key = succ->key,
								  .fiber = succ->fiber,
								  .choice = succ->choice,
								  .fresh = true };
	}
}
