/* SPDX-License-Identifier: MIT */
/* Between the parts of seamlab explain. Layer: report. */
#ifndef SL_REPORT_EXPLAIN_REPORT_H
#define SL_REPORT_EXPLAIN_REPORT_H

#include "oracle/table.h"
#include "report/explain.h"

struct explain_context {
	enum sl_release release;
	const struct leaf_ref *only; /* NULL, or the leaf whose locks count */
	struct leaf_ref leaf_copy;
};

/* One text, read: a number can be a status and a leaf or two, a name a status or a leaf or two. */
struct explain_subject {
	const char *text;
	bool is_status;
	u64 value;
	struct leaf_ref leaf[2];
	u32 leaf_count;
	const struct oracle_info *oracle; /* NULL, or the invariant: then it is nothing else */
};

/* "0x8000020000000092", "8000020000000092", "9223374235878031506", "-9223369837831520110". */
bool explain_number(const char *text, size_t size, u64 *value);

void explain_text(FILE *f, const struct explain_context *c, const struct explain_subject *s);
json_t *explain_json(const struct explain_context *c, const struct explain_subject *s);

/* "TDX_OPERAND_BUSY, operand SEPT_TREE (146)" */
void status_title(FILE *f, const struct status_view *v);
/* "TDH.MEM.SEPT.ADD, TDH.VP.INIT version 1": those of @taker in @mode. */
void takers_print(FILE *f, const struct lock_taker *taker, u32 count, enum lock_mode mode);
json_t *status_json(enum sl_release r, const struct leaf_ref *only, u64 value);

#endif
