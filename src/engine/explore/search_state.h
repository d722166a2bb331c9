/* SPDX-License-Identifier: MIT */
/*
 * The search's own state, for those of its files that look into it: search.c, path.c, parallel.c.
 * Layer: engine.
 */
#ifndef SL_ENGINE_SEARCH_STATE_H
#define SL_ENGINE_SEARCH_STATE_H

#include "engine/explore/bounds.h"
#include "engine/explore/exact.h"
#include "engine/explore/jobs.h"
#include "engine/explore/knowledge.h"
#include "engine/explore/liveness.h"
#include "engine/explore/machine.h"
#include "engine/explore/memo.h"
#include "engine/explore/race.h"
#include "engine/explore/visited.h"

#define DEPTH_MAX  (1u << 24)
#define SUCC_STORE ((u64)DEPTH_MAX * 4)
#define EDGE_STORE (1ull << 31)
#define ID_STORE   (1ull << 28)

struct succ {
	u64 key;
	union {
		u64 next; /* audit: the state; without what lanes have seen, if they are known by their stacks */
		const struct memo_leaf *leaf; /* else: the step, if it is known */
	};
	u8 fiber;
	u8 fresh;
	u8 preempts;
	u8 sites; /* code of what the step did at the host's sites */
	u16 choice;
};

/* How to get back from a state to the one before it. */
struct frame {
	u32 succ_base, succ_left; /* successors that are still to be looked at: the first ones */
	u32 stack_at, stack_len;  /* the mover's stack before its step, if that had no image */
	u32 image;                /* else that (memo.h) */
	u32 race_last;            /* of the mover, before the step */
	u32 race_top;
	u32 id; /* liveness: number of the state */
	size_t undo_mark, guest_mark, store_mark;
	u64 arena_hash, lanes_hash, digest;
	u8 mover;
	u8 ran;     /* the last mover that is no flush of a store buffer */
	bool again; /* visited before; only audited */
	u16 choice;
	u32 preemptions;
};

struct search {
	const struct xs_program *p;
	const struct xs_options *o;
	struct xs_result *r;
	struct machine m;
	struct race_log races;
	struct exact *exact;
	struct memo *memo; /* NULL: every step is run */
	bool remembers;    /* it has been of use since some state of this pass */
	struct visited visited;
	struct visited ends; /* hashes of the arena when all is done; none yet: no slots */
	bool partly;         /* some of this pass was done by another process */
	struct frame *frame;
	struct xp_fiber *saved; /* beside each frame whose mover had no image */
	u32 depth;
	struct succ *succ;
	u32 succ_count;
	u8 *stack_store;
	u32 stack_top;
	u64 states;
	u32 max_depth;
	double start;
	bool found, stop;
	bool auditing;   /* after the last pass, once more */
	u64 poll_at;     /* transitions at which limits are looked at */
	u64 pass_states; /* a pass that has learned something ends here */
	/* No more preemptions than that; states are told apart by their last mover too. */
	bool bounded;
	u32 most_preemptions;
	/* Looking for the shortest way to what was found. */
	bool shortest;
	bool by_steps; /* ways to a state are told apart by their length, too */
	u32 best_depth;
	u32 want_kind;
	char want_id[40];
	struct xs_step *best;
	u32 best_steps, best_preemptions;
	/* Liveness graph. */
	bool graph;
	struct lv_edge *edge;
	u64 edge_count;
	u64 *edge_first;
	u16 *edge_n;
	u8 *unfinished;        /* per state: some must_finish lane has not finished */
	u32 *enabled;          /* per state: fibers that can move */
	u16 *locking;          /* per state: fibers that want a lock of the host */
	struct bounds *bounds; /* of the graph; NULL if nobody asks */
	/* Several processes at one pass (parallel.h). */
	struct jobs *jobs; /* in one of them; NULL in a search of one */
	u64 widen_at;      /* a pass with so many states is left to all jobs */
	bool widen;
	struct knowledge before; /* the first pass */
	void *tally_before;
	struct xs_result spare; /* what several have found, in case one does not get that far */
	bool several;           /* have done the pass */
	bool alone;             /* several have found something */
	/* Saving it, and going on with what was saved (save.h). */
	const struct xs_keeper *keeper; /* while there is a pass to save */
	double save_at;
	double earlier; /* seconds that other processes have searched before this one */
	u8 *pass_start; /* how it stood when the pass began */
	size_t pass_start_size, pass_start_room;
	struct saved *resumed; /* what it goes on from, until the pass is over */
	enum xs_limit wanted;  /* with jobs: that ends the search once it is saved */
	double wanted_at;
	int failed; /* a negative errno: nothing is proved */
};

/* The path's first frame, where the lanes stand at their start. False if that state was not visited. */
bool search_begin(struct search *s) SL_WARN_UNUSED;
/*
 * Takes a step that was counted when it was probed: one frame deeper. False, and no step, if it cannot be taken
 * or leads to a state that was not visited.
 */
bool search_go(struct search *s, u32 fiber, u32 choice) SL_WARN_UNUSED;
/* Back to the start; there is no path. */
void search_go_back(struct search *s);
/* On from a path whose last state has been expanded, unless it is just @entered, until it is empty. */
void search_walk_on(struct search *s, bool entered);
/* From the state that stands, which becomes the path's first frame. */
void search_walk(struct search *s);
/* Arrays of the graph, from @map. False without memory. */
bool search_graph_map(struct search *s, void *(*map)(size_t size)) SL_WARN_UNUSED;
void search_graph_unmap(struct search *s);
/* Begins a pass: the lanes stand at their start, nothing has been visited. */
void search_pass_begin(struct search *s);
/* Hashes the arena anew: is it what the steps have made of it? If not, that is a finding. */
bool search_is_intact(struct search *s);

#endif
