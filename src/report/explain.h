/* SPDX-License-Identifier: MIT */
/* What the reports about statuses, leaves and locks share. Layer: report. */
#ifndef SL_REPORT_EXPLAIN_H
#define SL_REPORT_EXPLAIN_H

#include <stdio.h>

#include <jansson.h>
#include <seamlab/explain.h>

#include "base/types.h"
#include "module/contention.h"

/* ---- statuses -------------------------------------------------------------------------------- */

/* What bits 31:0 of a status are; see explain_status.def. */
enum detail_kind {
	DETAIL_NONE,
	DETAIL_OPERAND,
	DETAIL_LEVEL,
	DETAIL_MSR,
	DETAIL_EXIT,
	DETAIL_TDMR,
	DETAIL_TDMR_LEVEL,
	DETAIL_TDMR_AREA,
	DETAIL_TDMR_PAIR,
	DETAIL_L2,
	DETAIL_VCPU_STATE,
	DETAIL_OP_STATE,
	DETAIL_NUMBER,
	DETAIL_KINDS
};

/* "operand", "level", ... */
const char *detail_kind_name(enum detail_kind kind);

struct status_view {
	u64 value;
	const char *name;  /* "TDX_OPERAND_BUSY", NULL for a number without a name */
	const char *range; /* what is known of a number in a range, else NULL */
	u32 since;         /* first release that has it, as its third number; 0 = all */
	bool in_release;   /* the release asked about has it */
	u8 class;
	const char *class_name; /* NULL: none */
	enum detail_kind detail;
	const char *operand; /* name of the operand, NULL if the id has none or it is no operand */
	char detail_text[128]; /* "operand SEPT_TREE (146)"; empty where there is nothing to say */
	const char *meaning;   /* NULL for a number without a name */
	const char *advice;
};

void status_look_up(enum sl_release r, u64 value, struct status_view *v);
/* Is bits 63:32 a number of some release, or in a range? */
bool status_is_known(u64 value);
/* Finds a status by name, with or without TDX_. */
bool status_by_name(const char *name, size_t size, u64 *value);
bool operand_by_name(const char *name, size_t size, u32 *id);
/* "EPT violation"; NULL for a reason that has no name here. */
const char *exit_reason_name(u32 reason);

/* One lock that a busy status can be about. */
#define TAKERS_MAX 96

struct lock_taker {
	struct leaf_ref leaf;
	const struct lock_step *step;
};

struct busy_lock {
	enum lock_object object;
	const struct lock_step *step;          /* one of those that are refused */
	struct lock_taker refused[TAKERS_MAX]; /* get this very status */
	u32 refused_count;
	struct lock_taker holder[TAKERS_MAX]; /* may hold it against one of them */
	u32 holder_count;
};

/*
 * The @index-th lock, in the order of lock_object.def, whose refusal is exactly @status; only the leaf
 * @only is considered unless that is NULL. False if there are not so many.
 */
bool status_lock(enum sl_release r, u64 status, const struct leaf_ref *only, u32 index,
		 struct busy_lock *out);
const char *lock_advice(enum lock_object object, bool guest);

/* ---- leaves ---------------------------------------------------------------------------------- */

const char *leaf_about(const struct leaf_ref *leaf);
/* "TDH.VP.INIT", or "TDH.VP.INIT version 1" */
const char *leaf_title(const struct leaf_ref *leaf, char text[64]);
/*
 * Leaves of this name in any case, separated by dots or underscores, with or without TDH or TDG: at most
 * two (a SEAMCALL and a TDCALL). The number of leaves.
 */
u32 leaf_by_name(enum sl_release r, const char *name, size_t size, const struct leaf_ref *out[2]);
/* Writes "found ...; expected a leaf ...; did you mean ...?" */
void leaf_not_found(enum sl_release r, const char *name, char *err, size_t err_size);

/* Masks over S-EPT states and OP_STATEs that the leaf accepts; false: it has no row. */
bool leaf_sept_states(const struct leaf_ref *leaf, u32 *mask);
bool leaf_op_states(enum sl_release r, const struct leaf_ref *leaf, u32 *mask);

/* ---- text ------------------------------------------------------------------------------------ */

#define TEXT_WIDTH 100

/* "  label      text", on as many lines as it takes; @indent columns in front of the label. */
void text_field(FILE *f, u32 indent, const char *label, const char *text);
/* printf() into a field. */
SL_PRINTF(4, 5)
void text_fieldf(FILE *f, u32 indent, const char *label, const char *fmt, ...);

/* "0x8000020000000092" */
struct hex64 {
	char text[20];
};
const char *hex64(struct hex64 *h, u64 value);

/* Closes @f, opened on @text; NULL (and nothing to free) if anything went wrong. */
char *text_finish(FILE *f, char **text);

json_t *json_hex64(u64 value);
json_t *json_lock_step(enum sl_release r, const struct lock_step *s);

#endif
