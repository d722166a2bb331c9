/* SPDX-License-Identifier: MIT */
/*
 * Inside of the scenario reader: the tree that a YAML text becomes, and what all parts of the
 * reader use to look at it and to refuse it. Not for other layers. Layer: scenario.
 */
#ifndef SL_SCENARIO_READER_H
#define SL_SCENARIO_READER_H

#include "scenario/scenario.h"

enum scn_node_kind {
	SCN_NODE_NULL, /* nothing was written: "key:" */
	SCN_NODE_SCALAR,
	SCN_NODE_LIST,
	SCN_NODE_MAP, /* children: key, value, key, value, ... */
};

struct scn_node {
	struct scn_node *all;  /* chain of every node, for freeing */
	struct scn_node *next; /* sibling */
	struct scn_node *first;
	struct scn_node *last;
	u32 count; /* children */
	enum scn_node_kind kind;
	bool quoted; /* a scalar that is a string even if it looks like a number */
	u32 line;    /* from 1 */
	u32 column;  /* from 1, in characters */
	size_t size;
	char text[]; /* of a scalar; a zero byte follows */
};

struct scn_reader {
	struct scenario *s;
	const char *path; /* as shown in errors */
	const char *text; /* of the whole file */
	size_t size;
	struct sl_err *err;
	struct scn_node *nodes; /* chain through node->all */
	u32 node_count;
	u32 ops; /* of all lanes so far */
};

/*
 * Tree. scn_tree_build() stores the root; nodes live until scn_tree_free(), also after a failure.
 */
SL_WARN_UNUSED int scn_tree_build(struct scn_reader *r, const char *text, size_t size,
				  struct scn_node **root);
void scn_tree_free(struct scn_reader *r);

/* Errors. Both store the text and return -EINVAL; the second takes a bare position. */
SL_PRINTF(3, 4) int scn_fail(struct scn_reader *r, const struct scn_node *at, const char *fmt, ...);
SL_PRINTF(4, 5)
int scn_fail_at(struct scn_reader *r, u32 line, u32 column, const char *fmt, ...);
int scn_no_memory(struct scn_reader *r);

/* The list behind "claims:" (scenario_claims.c). */
SL_WARN_UNUSED int scn_read_claims(struct scn_reader *r, const struct scn_node *n);

/* What was found, for a message: 'text' cut to a sensible length, made printable. */
struct scn_shown {
	char text[88];
};

const char *scn_show_text(struct scn_shown *out, const char *text, size_t size);
/* The same for any node: "'text'", "the string 'text'", "a list", "a mapping", "nothing". */
const char *scn_show(struct scn_shown *out, const struct scn_node *n);

/* "a, b, c" for a message; "..." where it would get too long. */
struct scn_names {
	char text[640];
	size_t used;
	bool full;
};

void scn_names_add(struct scn_names *l, const char *name);

/* The known word nearest to an unknown one. */
struct scn_near {
	const char *word;
	size_t size;
	const char *best; /* NULL: nothing near enough */
	u32 distance;
};

void scn_near_try(struct scn_near *n, const char *known);
/* "; did you mean 'best'?" or the empty string. */
const char *scn_near_text(const struct scn_near *n, struct scn_shown *out);

/* Scalars. */
bool scn_text_is(const char *text, size_t size, const char *what);
bool scn_node_is(const struct scn_node *n, const char *what);
/* Decimal, no sign, no needless zero in front. */
bool scn_parse_number(const char *text, size_t size, u64 *out);
SL_WARN_UNUSED int scn_get_number(struct scn_reader *r, const struct scn_node *n, u64 min, u64 max,
				  u32 *out);
SL_WARN_UNUSED int scn_get_bool(struct scn_reader *r, const struct scn_node *n, bool *out);

SL_WARN_UNUSED int scn_get_release(struct scn_reader *r, const struct scn_node *n,
				   enum sl_release *out);

/* One key that a mapping may have. */
struct scn_key {
	const char *name;
	const char *required; /* "name: TEXT" for the message, NULL if it may be missing */
	const struct scn_node *key;
	const struct scn_node *value; /* NULL: not there */
};

/* Checks that @n is a mapping of these keys, each at most once, and finds their values. */
SL_WARN_UNUSED int scn_get_map(struct scn_reader *r, const struct scn_node *n, struct scn_key *keys,
			       u32 count);

/* Reads policy and switches of the host. */
SL_WARN_UNUSED int scn_read_host(struct scn_reader *r, const struct scn_node *n);

/*
 * "release=R" and "flavour=F" of a command line, in place of what the file says about the module. 0, or
 * -EINVAL and *err; -ENOENT: @text is about something else.
 */
SL_WARN_UNUSED int scn_override_module(struct scenario *s, const char *text, struct sl_err *err);

/* Reads the mapping of lanes; the TDs must stand. */
SL_WARN_UNUSED int scn_read_lanes(struct scn_reader *r, const struct scn_node *run);

#endif
