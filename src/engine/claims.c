// SPDX-License-Identifier: MIT
/* Claims about results. Layer: engine. */
#include "engine/claims.h"

#include <stdio.h>

#include <seamlab/tdx_abi.h>

static const char *leaf_name(enum sl_note what, u64 rax)
{
	u32 leaf = (u32)(rax & 0xFFFF);
	const char *name =
		what == SL_NOTE_SEAMCALL ? tdx_seamcall_name(leaf) : tdx_tdcall_name(leaf);

	return name ? name : "an unknown leaf";
}

static const struct scn_never *never_broken(const struct scenario *s, u64 status)
{
	for (u32 i = 0; i < s->never_count; i++) {
		const struct scn_never *n = &s->never[i];

		if ((n->any_operand ? status & TDX_STATUS_CLASS_MASK : status) == n->status)
			return n;
	}
	return NULL;
}

/* What a note means to a bound: once more, from the start, or nothing. */
enum effect {
	NOTHING,
	ONCE_MORE,
	ENDED,
};

static enum effect effect_on(const struct scn_bound *b, enum sl_note what, u64 a, u64 status)
{
	enum scn_bound_kind call = what == SL_NOTE_SEAMCALL ? SCN_BOUND_SEAMCALL : SCN_BOUND_TDCALL;

	switch (what) {
	case SL_NOTE_BUSY:
	case SL_NOTE_VISIT:
		if (b->kind != SCN_BOUND_RETRIES || b->what != a)
			return NOTHING;
		return what == SL_NOTE_BUSY ? ONCE_MORE : ENDED;
	case SL_NOTE_SEAMCALL:
	case SL_NOTE_TDCALL:
		if (b->kind != call || b->what != (a & 0xFFFF))
			return NOTHING;
		return (status & TDX_STATUS_CLASS_MASK) == TDX_OPERAND_BUSY ? ONCE_MORE : ENDED;
	default:
		return NOTHING;
	}
}

const char *claims_note(const struct scenario *s, struct claim_counts *c, enum sl_note what, u64 a,
			u64 b, char *text, size_t size)
{
	const struct scn_never *never = NULL;

	if (what == SL_NOTE_SEAMCALL || what == SL_NOTE_TDCALL)
		never = never_broken(s, b);
	if (never) {
		snprintf(text, size, "%s returned %s", leaf_name(what, a), never->text);
		return "never";
	}
	for (u32 i = 0; i < s->bound_count; i++) {
		const struct scn_bound *bound = &s->bound[i];

		switch (effect_on(bound, what, a, b)) {
		case ONCE_MORE:
			if (c->n[i]++ < bound->limit)
				break;
			snprintf(text, size, "%s is more than %u", bound->text, bound->limit);
			return "bound";
		case ENDED:
			c->n[i] = 0;
			break;
		case NOTHING:
			break;
		}
	}
	return NULL;
}
