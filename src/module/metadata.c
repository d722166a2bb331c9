// SPDX-License-Identifier: MIT
/* Metadata fields by their ids, from metadata.def. Layer: module. */
#include "module/metadata.h"

#include "module/sys_info.h"

#define ID_CODE     GENMASK_ULL(23, 0)
#define ID_CLASS    GENMASK_ULL(61, 56)
#define ID_LAST     GENMASK_ULL(46, 34) /* last element, last field: of a list of fields only */
#define ID_RESERVED (GENMASK_ULL(31, 24) | GENMASK_ULL(49, 47) | BIT_ULL(55) | BIT_ULL(62))
#define ID_COMPARED (ID_CODE | ID_CLASS)
/* The same in a context: classes and codes of the contexts overlap. */
#define IN_CONTEXT(context, id) (((id)&ID_COMPARED) | (u64)(context) << 62)
#define LOAD(object)            atomic_load_explicit(&(object), memory_order_relaxed)

enum md_name {
#define MD_FIELD(context, name, id, count, host, debug, guest, value) MD_##name,
#include "module/metadata.def"
#undef MD_FIELD
};

struct md_access {
	u64 rd, wr; /* masks of bits */
};

struct md_field {
	u64 id;
	enum md_context context;
	u32 count;
	struct md_access access[MD_WHO];
};

#define NONE         \
	{            \
		0, 0 \
	}
#define RO               \
	{                \
		~0ull, 0 \
	}
#define RW                   \
	{                    \
		~0ull, ~0ull \
	}
#define RD_WR(r, w)  \
	{            \
		r, w \
	}

static const struct md_field fields[] = {
#define MD_FIELD(context_, name, id_, count_, host, debug, guest, value) \
	[MD_##name] = { .id = id_,                                       \
			.context = MD_##context_,                        \
			.count = count_,                                 \
			.access = {                                      \
				[MD_HOST] = host, [MD_HOST_DEBUG] = debug, [MD_GUEST] = guest } },
#include "module/metadata.def"
#undef MD_FIELD
};

/* Rows of a context stand together: where they begin, and where the next context's do. */
static const u32 first_row[MD_CONTEXTS + 1] = {
#define MD_FIELD(context, name, id, count, host, debug, guest, value) +(MD_##context < MD_TD)
	[MD_TD] = 0
#include "module/metadata.def"
	,
#undef MD_FIELD
#define MD_FIELD(context, name, id, count, host, debug, guest, value) +(MD_##context < MD_VP)
	[MD_VP] = 0
#include "module/metadata.def"
	,
#undef MD_FIELD
	[MD_CONTEXTS] = ARRAY_SIZE(fields),
};

/* One field: a row and, of rows of several, which. */
struct md_at {
	enum md_name name;
	u32 i;
};

/* Not by a struct md_at, which would be read whole as soon as its halves have been written. */
static u64 value_of(const struct md *md, enum md_name name, u32 i)
{
	const struct sl_lp *lp = md->c->lp;
	const struct tdr *tdr = md->tdr;
	struct tdcs *tdcs = md->tdcs;
	struct tdvps *vp = md->vp;

	switch (name) {
#define MD_FIELD(context, field, id, count, host, debug, guest, value) \
	case MD_##field:                                               \
		return value;
#include "module/metadata.def"
#undef MD_FIELD
	}
	return 0;
}

SL_INLINE bool find(const struct md *md, u64 id, struct md_at *at)
{
	if (id & (ID_RESERVED | ID_LAST))
		return false;
	switch (IN_CONTEXT(md->context, id)) {
#define MD_FIELD(context, field, id_, count, host, debug, guest, value)                  \
	case IN_CONTEXT(MD_##context, id_)... IN_CONTEXT(MD_##context, id_) + (count)-1: \
		at->name = MD_##field;                                                   \
		break;
#include "module/metadata.def"
#undef MD_FIELD
	default:
		return false;
	}
	at->i = (u32)((id - fields[at->name].id) & ID_CODE);
	return true;
}

/* The first readable field from row @n on. */
static u64 first_from(const struct md *md, u32 n)
{
	for (; n < first_row[md->context + 1]; n++)
		if (fields[n].access[md->who].rd)
			return fields[n].id;
	return MD_NULL_ID;
}

static u64 next_of(const struct md *md, struct md_at at)
{
	if (at.i + 1 < fields[at.name].count)
		return fields[at.name].id + at.i + 1;
	return first_from(md, (u32)at.name + 1);
}

u64 md_read(const struct md *md, u64 id, u64 *value, u64 *next)
{
	struct md_at at;
	u64 mask;

	*value = 0;
	if (next && id == MD_NULL_ID) {
		*next = first_from(md, first_row[md->context]);
		return TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT;
	}
	if (next)
		*next = MD_NULL_ID;
	if (!find(md, id, &at))
		return TDX_METADATA_FIELD_ID_INCORRECT;
	mask = fields[at.name].access[md->who].rd;
	if (!mask)
		return TDX_METADATA_FIELD_NOT_READABLE;
	*value = value_of(md, at.name, at.i) & mask;
	if (next)
		*next = next_of(md, at);
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Microseconds outside, ticks inside; a plain store, so that running vCPUs see it at once. */
static u64 write_timeout(const struct md *md, u64 data, u64 mask)
{
	u64 ticks = data * md->c->lp->env->tsc_per_us;

	if (mask != ~0ull)
		return TDX_METADATA_WR_MASK_NOT_VALID;
	if (data < HP_LOCK_TIMEOUT_MIN_US || data > HP_LOCK_TIMEOUT_MAX_US)
		return TDX_METADATA_FIELD_VALUE_NOT_VALID;
	/* Published: cut to 32 bits, so that a long timeout becomes some short one. */
	if (!md->c->hardened)
		ticks = (u32)ticks;
	atomic_store_explicit(&md->tdcs->hp_lock_timeout, ticks, memory_order_relaxed);
	return 0;
}

/* A field of a TD: one compare-and-swap, which fails if somebody else was faster. */
SL_INLINE u64 swap(const struct md *md, _Atomic u64 *word, u64 old, u64 data, u64 mask)
{
	const struct lock_step *step = call_plan_step(md->c, LOCK_FIELD, LOCK_EX, LOCK_WORD);

	if (!atomic_compare_exchange_strong_explicit(word, &old, (old & ~mask) | (data & mask),
						     memory_order_relaxed, memory_order_relaxed))
		return call_refused(md->c, step, 0);
	return 0;
}

static u64 write_td_ctls(const struct md *md, u64 old, u64 data, u64 mask)
{
	if (((old ^ data) & mask & TD_CTLS_PENDING_VE_DISABLE) &&
	    !(md->tdcs->config_flags & TD_CONFIG_FLEXIBLE_VE))
		return TDX_METADATA_FIELD_VALUE_NOT_VALID;
	return swap(md, &md->tdcs->td_ctls, old, data, mask);
}

u64 md_write(const struct md *md, u64 id, u64 data, u64 mask, u64 *old)
{
	u64 writable, was, st;
	struct md_at at;

	*old = 0;
	if (!find(md, id, &at))
		return TDX_METADATA_FIELD_ID_INCORRECT;
	writable = fields[at.name].access[md->who].wr;
	if (!writable || (at.name != MD_HP_LOCK_TIMEOUT && !(writable & mask)))
		return TDX_METADATA_FIELD_NOT_WRITABLE;
	was = value_of(md, at.name, at.i);
	switch (at.name) {
	case MD_HP_LOCK_TIMEOUT:
		st = write_timeout(md, data, mask);
		break;
	case MD_NOTIFY_ENABLES:
		st = swap(md, &md->tdcs->notify_enables, was, data, mask & writable);
		break;
	case MD_TD_CTLS:
		st = write_td_ctls(md, was, data, mask & writable);
		break;
	case MD_PEND_NMI:
		/* A vCPU's fields are its associated LP's: a plain store. */
		md->vp->pend_nmi = data & 1;
		st = 0;
		break;
	default:
		SL_BUG_ON(1);
		return TDX_UNINITIALIZE_ERROR;
	}
	if (!st)
		*old = was & fields[at.name].access[md->who].rd;
	return st;
}
