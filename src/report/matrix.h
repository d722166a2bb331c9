/* SPDX-License-Identifier: MIT */
/* Between the parts of seamlab matrix. Layer: report. */
#ifndef SL_REPORT_MATRIX_H
#define SL_REPORT_MATRIX_H

#include "report/explain.h"

#define MATRIX_LEAVES_MAX 128

/* What is known of a leaf's locks. */
enum matrix_known {
	MATRIX_LOCKS,
	MATRIX_LOCK_FREE, /* a SEAMCALL that meets nobody; a TDCALL is made under its vCPU's locks */
	MATRIX_UNKNOWN,
};

struct matrix {
	enum sl_release release;
	struct leaf_ref leaf[MATRIX_LEAVES_MAX];
	u32 count;
	/* Indices; -1: every leaf. */
	int only[2];
	struct meeting scratch[MEETINGS_MAX];
};

/* Fills @m; @leaf names none, one or two leaves. 0, or -EINVAL and a message. */
int matrix_open(struct matrix *m, enum sl_release r, const char *const leaf[2], char *err,
		size_t err_size);
enum matrix_known matrix_known(const struct matrix *m, u32 leaf);
/* Does the leaf belong into the grid? */
bool matrix_shown(const struct matrix *m, u32 leaf);
/* Is the pair wanted? @a <= @b in the order of leaves, unless one leaf was asked for, which is @a. */
bool matrix_wanted(const struct matrix *m, u32 a, u32 b);
u32 matrix_meetings(struct matrix *m, u32 a, u32 b);

/* "TDH.VP.INIT", "TDH.VP.INIT/1" */
const char *matrix_leaf_name(const struct leaf_ref *leaf, char text[64]);
/* The status of the second one, and what it means in one line. */
void matrix_print_status(FILE *f, const struct matrix *m, const struct lock_step *s);

void matrix_text(FILE *f, struct matrix *m);
void matrix_csv(FILE *f, struct matrix *m);
void matrix_html(FILE *f, struct matrix *m);
char *matrix_json(struct matrix *m);

#endif
