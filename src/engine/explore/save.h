/* SPDX-License-Identifier: MIT */
/*
 * A search as bytes, between two steps, so that another process can go on with it: what is known, the
 * states that were visited, the graph, and the open paths. A path is kept as its steps (path.h), and who goes
 * on takes them again.
 *
 * In a pass that has learned something steps would not be the same steps again. Then what is saved is how
 * the search stood when the pass began, and the pass is gone through once more: it is a short one. So what
 * comes out is the same, wherever a search was left. Layer: engine.
 */
#ifndef SL_ENGINE_SAVE_H
#define SL_ENGINE_SAVE_H

#include "engine/explore/search_state.h"

/* A pass of which something is done. */
struct save_pass {
	bool several; /* jobs */
	bool buffer_full;
	u32 depth;
	u32 paths; /* up to XS_JOBS_MAX */
	u64 states, transitions;
	u64 edges;
	const void **path;
	const void *tally;
};

/* A search that is gone on with, until its pass stands as it did. */
struct saved {
	const struct xs_source *from;
	struct save_pass pass;
	u16 pass_number; /* xp.pass */
	bool found;
	struct path_head **path;
	u32 next; /* that this process goes on from when it is done with the one that it is on */
};

/* To be called in front of each pass, if there is a keeper. */
void save_pass_begins(struct search *s);
/* Is it time, for the sake of time alone? */
bool save_is_due(const struct search *s);
/* Saves it; NULL: as the pass began. */
void save_write(struct search *s, const struct save_pass *pass);
/* Between two steps of a search of one; @entered as in search_walk_on(). */
void save_now(struct search *s, bool entered);

/*
 * Before the first pass. s->resumed is set if there is a pass to go on with. 0, -ENOMEM, or -ESTALE and
 * s->r->text.
 */
int save_open(struct search *s) SL_WARN_UNUSED;
/* In the pass that has just begun, with tables and graph that are empty. As save_open(). */
int save_load(struct search *s) SL_WARN_UNUSED;
/* Goes on from every @step-th path, from @first on. */
void save_walk(struct search *s, u32 first, u32 step);
void save_close(struct search *s);

#endif
