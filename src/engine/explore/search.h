/* SPDX-License-Identifier: MIT */
/*
 * The search: every interleaving of a few fibers over one arena, each state once.
 *
 * A state is the arena and, for each fiber, a hash of what it has seen since its last checkpoint and
 * what it is about to do. The search is depth first with an undo log; each state's successors are
 * all computed first and looked up together. Scheduling points are the words that two fibers share:
 * none is known at the start, they are learned, and the pass that learns no more is the proof.
 * Layer: engine.
 */
#ifndef SL_ENGINE_SEARCH_H
#define SL_ENGINE_SEARCH_H

#include "base/stats.h"
#include "engine/explore/xp.h"

struct xs_step {
	u8 fiber;
	u16 choice;
};

/* A word of which the world tells what it is. */
struct xs_word {
	const void *addr;
	u8 kind; /* enum xp_word */
	u8 size; /* bytes */
};

/* Words of a program, collected one by one; the caller frees @word. */
struct xs_word_list {
	struct xs_word *word;
	u32 count, room;
};

/* @ctx is a list; as a function for whoever goes through the words. */
void xs_word_add(void *ctx, const void *addr, u8 kind, u8 size);

/* What is explored. */
struct xs_program {
	void *arena;
	size_t arena_size;
	u64 ghost_start, ghost_end; /* bytes of the arena for oracles only */
	bool no_entropy;            /* the random number generator may fail at any time */
	bool foreign;               /* steps call what did not come with us: each is to be run */
	u32 lanes;
	void (*lane)(u32 lane); /* a lane's whole life; runs on a fiber */
	void (*end)(void);      /* when all lanes are done; NULL for nothing. One step. */
	/* Looks at the world after each step: NULL, or the name of what does not hold. May be NULL. */
	const char *(*invariant)(void);
	/* A fiber has stopped; what it is known by (its hist) may be changed. NULL for nothing. */
	void (*stopped)(u32 fiber);
	const struct xs_word *word; /* lock words and counters */
	u32 word_count;
	/*
	 * What lanes leave outside the arena, for nobody but reports: each job counts for itself, and
	 * what others have counted is added. NULL for nothing.
	 */
	void *tally;
	size_t tally_size;
	void (*tally_add)(void *to, const void *from);
	u32 must_finish; /* mask: lanes that all-finish is about; 0 = no liveness */
	/*
	 * Lanes of one class (not 0) run the same program, and neither the arena nor what they see
	 * tells them apart: swapping two of them gives a state with the same future. Used for safety
	 * only. The end has none.
	 */
	u8 class[XP_FIBERS_MAX];
};

enum xs_limit {
	XS_COMPLETE,
	XS_LIMIT_TIME,
	XS_LIMIT_MEMORY,
	XS_LIMIT_DEPTH,
	XS_LIMIT_INTERRUPTED,
	XS_LIMIT_PREEMPTIONS, /* asked for: schedules with more were left out */
	XS_LIMIT_RUNS,        /* asked for: random runs, which prove nothing */
	XS_LIMIT_STORES,      /* a store buffer was full; a larger one may show more */
	XS_LIMIT_SITES,       /* more kinds of steps at sites of the host than can be told apart */
	XS_LIMIT_LAST = XS_LIMIT_SITES,
};

struct xs_progress {
	double seconds;
	u64 states, transitions;
	u64 runs; /* random ones so far */
	u32 depth, pass;
	size_t memory;
};

#define XS_KIND_NONE    0xFFFFFFFFu
#define XS_ENDS_UNKNOWN UINT64_MAX
#define XS_JOBS_MAX     64u

/* The id of a finding that is a loop of BUSY. */
#define XS_CYCLE_ID "endless"

/* BUSY results of one lane at one site: until when they are counted. */
enum xs_measure {
	XS_VISIT, /* the visit ends, whatever came of it */
	XS_ROW,   /* a SEAMCALL there is not BUSY: giving up and coming back does not start anew */
	XS_MEASURES
};

enum xs_endless {
	XS_FINITE,
	XS_UNFAIR,  /* a loop, but only while a lane that could move gets no turn */
	XS_ENDLESS, /* a loop in which every lane gets its turns */
};

struct xs_bound {
	u32 most; /* if FINITE */
	enum xs_endless endless;
};
/* A relaxed release that matters shows in a handful of runs; the rest is for rare paths. */
#define XS_ORDER_RUNS 200u
/* To start from nothing costs each block a few runs more. */
#define XS_RUN_BLOCK 64u

/*
 * Where a search is saved now and then, so that another process can go on with it: what is put between begin and
 * end takes the place of what was put before.
 */
struct xs_keeper {
	double every; /* seconds between two times; and at a limit */
	void (*begin)(void *ctx);
	void (*put)(void *ctx, const void *bytes, size_t size);
	void (*end)(void *ctx);
	void *ctx;
};

/* What was put, from the first byte on. False: there is no more, or it cannot be read. */
struct xs_source {
	bool (*get)(void *ctx, void *bytes, size_t size);
	void *ctx;
};

struct xs_options {
	u64 seed;          /* of the hash; verdict and counts do not depend on it */
	bool no_reduction; /* every atomic access is a scheduling point */
	bool races;        /* look for data races */
	u32 prefer;        /* 1 + the kind that ends the search when it is found; others are kept in
			      case it is not. 0: any */
	bool no_checkpoints; /* states are merged by what was seen alone; more of them, no less true */
	bool no_memo;        /* every step is run, if it was taken before or not: memo.h */
	bool no_symmetry;    /* interchangeable lanes are told apart */
	bool audit;          /* visit every state from every side and compare what comes next; hash
				 the whole arena now and then */
	bool bounds; /* keep the graph, and find how often each site can be BUSY in a row; what is
				 found ends a path, not the search */
	u32 cycle_site;   /* with bounds: 1 + the site whose endless BUSY is to be the finding */
	u32 store_buffer; /* not 0: lanes have store buffers of so many stores, see store_buffer.h */
	bool exact;       /* compare states themselves, not their fingerprints */
	bool bounded;     /* only schedules with at most this many preemptions */
	u32 preemptions;
	u32 runs; /* not 0: so many random runs instead of a search */
	u32 run_block; /* runs that learn from each other; every next block starts from nothing, so that it comes
				 to the same wherever it is run. 0: all of them */
	u32 run_skip,
		run_drop; /* of @runs, the first and the last ones that others make: whole blocks */
	u32 order_runs;   /* after a search without a finding: random runs that watch the order of
				 memory accesses (order.h); XS_ORDER_RUNS find what they can find */
	u64 run_seed;     /* of random runs */
	double seconds;   /* 0: no limit */
	size_t memory;    /* bytes for states and edges; 0: no limit */
	u32 depth;        /* 0: no limit */
	double minimise_seconds; /* for the shortest counterexample */
	u32 jobs;                /* processes for one search, up to XS_JOBS_MAX; 0 and 1 are one */
	u32 jobs_from; /* states that one looks at before the others join in; 0: as many as it is worth */
	/* Not with audit, exact and runs. */
	const struct xs_keeper *keeper; /* or NULL */
	/*
	 * NULL, or what a keeper got from a search of the same program with the same options, but for limits and jobs,
	 * by the same build.
	 */
	const struct xs_source *resume;
	void (*progress)(void *ctx, const struct xs_progress *p);
	bool (*interrupted)(void *ctx);
	void *ctx;
};

struct xs_result {
	u32 kind; /* enum sl_violation, or XS_KIND_NONE */
	char id[40];
	char text[320];
	bool certain; /* livelock: no schedule escapes */
	enum xs_limit limit;
	u64 states, transitions;
	u64 all_states, all_transitions; /* of all passes */
	u64 audited;                     /* visits that the audit compared */
	u64 runs;                        /* random runs, of either kind */
	u32 found_run;                   /* the one that has found something: the first is 0 */
	double lost;                     /* states that fingerprints may have hidden, expected */
	/* With bounds, and complete: what any schedule can do at each site. */
	struct xs_bound bound[SL_SITE_MAX][XS_MEASURES];
	bool bounded; /* they are there */
	/*
	 * Different contents of the arena behind the last step of all, which no reduction may change. Only
	 * a search by one process knows; XS_ENDS_UNKNOWN.
	 */
	u64 ends;
	u32 symmetric; /* lanes that were taken as interchangeable */
	u32 passes, shared_words, depth;
	/* Processes that did the last pass. With several, passes and depth differ from run to run. */
	u32 jobs;
	double seconds;
	size_t memory; /* peak */
	/* Counterexample; a livelock's loop starts at step loop_start, else loop_start = steps. */
	struct xs_step *step;
	u32 steps, loop_start;
	u32 preemptions;
	bool minimal; /* proved to be the shortest */
};

/*
 * Opens the explorer over the world in @p->arena, which stands as it is before the lanes start;
 * false without memory. One at a time. What one call learns about shared words the next ones know.
 */
bool xs_open(const struct xs_program *p, const struct xs_options *o) SL_WARN_UNUSED;
void xs_close(const struct xs_program *p);
/* What was learned since xs_open() is as unknown as then. */
void xs_forget(const struct xs_program *p, const struct xs_options *o);

/*
 * 0, -ENOMEM, or as r->text says -ECHILD if a job has died, -ESTALE if @o->resume is of another search. The arena
 * is back where it was afterwards. Free with xs_result_free().
 */
int xs_explore(const struct xs_program *p, const struct xs_options *o, struct xs_result *r);
void xs_result_free(struct xs_result *r);

/* What fiber @i is about to do, as a number. */
u64 xs_pending_digest(u32 i);

/* Is the word at @addr, in the arena, a scheduling point? */
bool xs_word_is_shared(const void *addr);

/* Who watches a replay. */
struct xs_watch {
	/* In front of a step that can be taken; false ends the replay there. NULL for none. */
	bool (*before)(void *ctx, u32 index, const struct xs_step *step);
	/* Behind it: the world stands as it left it, xp.event tells what it did, xp.violated and so on
	 * what was wrong. False ends the replay there.
	 */
	bool (*after)(void *ctx, u32 index, const struct xs_step *step);
	void *ctx;
};

/* Of @o what a replay of a finding of @kind and @id looks for: only that can end the trace. */
void xs_replay_options(struct xs_options *o, u32 kind, const char *id);

/*
 * Plays @steps from the start. Returns the number of steps taken; all of them if the trace fits the
 * program. Data races are looked for if @o says so, a deadlock behind the last step. The arena is
 * back at the start afterwards; xp.learned tells if a scheduling point came up.
 */
u32 xs_replay(const struct xs_program *p, const struct xs_options *o, const struct xs_step *step,
	      u32 steps, const struct xs_watch *w);

#endif
