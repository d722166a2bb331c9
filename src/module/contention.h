/* SPDX-License-Identifier: MIT */
/*
 * Which leaves there are in a release, and where two of them can meet: derived from the lock plans and
 * contention.def, for reports and for whoever wants to try a pair out. Layer: module.
 */
#ifndef SL_MODULE_CONTENTION_H
#define SL_MODULE_CONTENTION_H

#include "module/plan.h"

enum lock_scope {
#define SL_LOCK_SCOPE(name, text) SCOPE_##name,
#include "module/lock_object.def"
#undef SL_LOCK_SCOPE
	LOCK_SCOPES
};

struct lock_object_info {
	const char *name;
	char letter;
	u8 scope; /* enum lock_scope */
	const char *text;
};

const struct lock_object_info *lock_object_info(enum lock_object object);
/* Who can meet there: "callers with the same TD". */
const char *lock_scope_text(enum lock_scope scope);
/* "mutex", "sharex", "sharex_hp", "tdel", "cas"; "SH", "EX". */
const char *lock_kind_name(enum lock_kind kind);
const char *lock_mode_name(enum lock_mode mode);

/* One SEAMCALL or TDCALL leaf. */
struct leaf_ref {
	bool guest; /* TDCALL */
	u32 number;
	u32 version;
	const char *name;  /* "TDH.MEM.PAGE.AUG" */
	bool modelled;     /* has code here */
	const char *ident; /* "tdh_mem_page_aug" */
};

/* The leaves of a release in the order of their numbers, SEAMCALLs first; from NULL to NULL. */
const struct leaf_ref *leaf_next(enum sl_release r, const struct leaf_ref *last);
#define leaf_each(r, leaf) for (leaf = NULL; (leaf = leaf_next(r, leaf));)
/* NULL if the release has no such leaf. */
const struct leaf_ref *leaf_by_number(enum sl_release r, bool guest, u32 number);
/* The plan of a leaf; NULL if it takes no lock or nothing is known. */
const struct lock_step *leaf_plan(enum sl_release r, const struct leaf_ref *leaf);
/* The leaf's version 1, if that has a plan of its own: *out and true. */
bool leaf_version_1(enum sl_release r, const struct leaf_ref *leaf, struct leaf_ref *out);
/* When the leaf takes this lock, if not always: NULL, or a text such as "only with L2 VMs". */
const char *leaf_lock_note(const struct leaf_ref *leaf, enum lock_object object);

/*
 * Two leaves meet: @a of the one and @b of the other cannot be held at once. The second one of them gets
 * its step's busy status. NULL stands for a lock that a vCPU has held since TDH.VP.ENTER when it makes
 * the TDCALL: then only the other one is refused.
 */
struct meeting {
	const struct lock_step *a, *b;
	u8 object; /* enum lock_object: the lock, LARGE_PAGE where a page of one covers that of the other */
	const char *never; /* why it does not come to that; NULL: it does */
};

#define MEETINGS_MAX 128

/* Where @a and @b meet, the widest lock first; the number of meetings, at most MEETINGS_MAX. */
u32 leaf_meetings(enum sl_release r, const struct leaf_ref *a, const struct leaf_ref *b,
		  struct meeting out[MEETINGS_MAX]);
/* Where both plans name a lock, and yet the leaves cannot meet; each with the reason. */
u32 leaf_non_meetings(enum sl_release r, const struct leaf_ref *a, const struct leaf_ref *b,
		      struct meeting out[MEETINGS_MAX]);

/* NULL, or why nobody takes this lock in this model, although the module has it. */
const char *lock_absent(enum lock_object object);
/* Does the leaf's hardened flavour take this lock exclusive, whatever its plan says? */
bool leaf_lock_hardened(const struct leaf_ref *leaf, enum lock_object object);

#endif
