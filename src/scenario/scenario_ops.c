// SPDX-License-Identifier: MIT
/*
 * Lanes of a scenario: operation strings and loops to flat lists of operations.
 * Never prints, never exits. Layer: scenario.
 */
#include "scenario/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One more than any operation has, so that one too many is seen. */
#define WORDS_MAX 8

enum op_args {
	ARGS_NONE,
	ARGS_PAGES,
	ARGS_PAGES_RTMR, /* pages, and a register or register 0 */
	ARGS_SPAN,       /* pages, or pages..pages */
	ARGS_SLOT,       /* a whole range */
	ARGS_ADD,        /* pages, and measured or not */
	ARGS_NEW_VCPU,   /* a vCPU that is not there at first */
	ARGS_BARE_VCPU,  /* a vCPU that is not initialized at first */
	ARGS_SHARE,      /* pages and shared|private */
	ARGS_SHARE_SPAN, /* a span and shared|private */
	ARGS_VCPU,
	ARGS_TD,
	ARGS_STANDING_TD, /* a TD that this does not make one that host lanes build */
	ARGS_VCPU_LP,
	ARGS_LP,
	ARGS_TD_OR_NOT, /* a TD, or td0 */
	ARGS_SIDE,      /* host|guest, and retry or not */
	ARGS_RETRY,     /* retry or not */
	ARGS_FIELD,     /* a metadata field of the module */
	ARGS_FIELD_TD,  /* of a TD, and the TD or td0 */
	ARGS_FIELD_VCPU,
	ARGS_VALUE_TD, /* the same with a value behind the field */
	ARGS_VALUE_VCPU,
	/* Pages; [a level]; where a raw SEAMCALL takes a page, [a spare page]. */
	ARGS_ENTRY,
	ARGS_ENTRY_PAGE,
	ARGS_TABLE, /* the same, on the entry above by default */
	ARGS_TABLE_PAGE,
};

struct op_desc {
	const char *name;
	const char *form; /* how it is written, for messages */
	enum op_args args;
	u32 code; /* of a raw SEAMCALL: the leaf */
};

static const struct op_desc guest_ops[] = {
	{ "accept", "'accept PAGES [LEVEL]'", ARGS_ENTRY, GUEST_ACCEPT },
	{ "read", "'read PAGES'", ARGS_PAGES, GUEST_READ },
	{ "write", "'write PAGES'", ARGS_PAGES, GUEST_WRITE },
	{ "attr-rd", "'attr-rd PAGES'", ARGS_PAGES, GUEST_ATTR_RD },
	{ "attr-wr", "'attr-wr PAGES [LEVEL]'", ARGS_ENTRY, GUEST_ATTR_WR },
	{ "rtmr-extend", "'rtmr-extend PAGES [N]'", ARGS_PAGES_RTMR, GUEST_RTMR_EXTEND },
	{ "report", "'report PAGES'", ARGS_PAGES, GUEST_REPORT },
	{ "touch", "'touch PAGES' or 'touch PAGES..PAGES'", ARGS_SPAN, GUEST_TOUCH },
	{ "other-call", "'other-call'", ARGS_NONE, GUEST_OTHER_CALL },
	{ "map-gpa", "'map-gpa PAGES shared|private'", ARGS_SHARE, GUEST_MAP_GPA_SHARED },
	{ "map-range",
	  "'map-range PAGES shared|private' or 'map-range PAGES..PAGES shared|private'",
	  ARGS_SHARE_SPAN, GUEST_MAP_RANGE_SHARED },
	{ "halt", "'halt'", ARGS_NONE, GUEST_HALT },
};

static const struct op_desc host_ops[] = {
	{ "map", "'map PAGES'", ARGS_PAGES, SCN_HOST_MAP },
	{ "zap", "'zap PAGES'", ARGS_PAGES, SCN_HOST_ZAP },
	{ "split", "'split PAGES'", ARGS_PAGES, SCN_HOST_SPLIT },
	{ "promote", "'promote PAGES'", ARGS_PAGES, SCN_HOST_PROMOTE },
	{ "signal", "'signal VCPU'", ARGS_VCPU, SCN_HOST_SIGNAL },
	{ "interrupt", "'interrupt VCPU'", ARGS_VCPU, SCN_HOST_INTERRUPT },
	{ "build", "'build TD'", ARGS_TD, SCN_HOST_BUILD },
	{ "run", "'run TD'", ARGS_TD, SCN_HOST_RUN },
	{ "teardown", "'teardown TD'", ARGS_STANDING_TD, SCN_HOST_TEARDOWN },
	{ "terminate", "'terminate TD'", ARGS_STANDING_TD, SCN_HOST_TERMINATE },
	{ "migrate", "'migrate VCPU LP'", ARGS_VCPU_LP, SCN_HOST_MIGRATE },
	{ "offline", "'offline LP'", ARGS_LP, SCN_HOST_OFFLINE },
	{ "prefault", "'prefault PAGES'", ARGS_PAGES, SCN_HOST_PREFAULT },
	{ "unmap-shared", "'unmap-shared PAGES' or 'unmap-shared PAGES..PAGES'", ARGS_SPAN,
	  SCN_HOST_UNMAP_SHARED },
	{ "delete-slot", "'delete-slot RANGE'", ARGS_SLOT, SCN_HOST_DELETE_SLOT },
	{ "create-slot", "'create-slot RANGE'", ARGS_SLOT, SCN_HOST_CREATE_SLOT },
	{ "mark-dead", "'mark-dead [TD]'", ARGS_TD_OR_NOT, SCN_HOST_MARK_DEAD },
	{ "create-vcpu", "'create-vcpu VCPU'", ARGS_NEW_VCPU, SCN_HOST_CREATE_VCPU },
	{ "init-vcpu", "'init-vcpu VCPU [retry|try]'", ARGS_BARE_VCPU, SCN_HOST_INIT_VCPU },
	{ "add", "'add PAGES [measured] [retry|try]'", ARGS_ADD, SCN_HOST_ADD },
	{ "finalize", "'finalize [TD] [retry|try]'", ARGS_TD_OR_NOT, SCN_HOST_FINALIZE },
};

#define LP_ENTRY(name, args, leaf)                                              \
	{                                                                       \
		name, "'" name " PAGES [LEVEL] [retry]'", args, SEAMCALL_##leaf \
	}
#define LP_PAGE(name, args, leaf)                                                        \
	{                                                                                \
		name, "'" name " PAGES [LEVEL] [spareN] [retry]'", args, SEAMCALL_##leaf \
	}

#define LP_TD(name, leaf)                                                        \
	{                                                                        \
		name, "'" name " [TD] [retry]'", ARGS_TD_OR_NOT, SEAMCALL_##leaf \
	}
#define LP_VCPU(name, version, leaf)                                    \
	{                                                               \
		name, "'" name " VCPU [retry]'", ARGS_VCPU,             \
			SEAMCALL_##leaf | (version) << LP_VERSION_SHIFT \
	}
/* Where RAX has the version of a SEAMCALL. */
#define LP_VERSION_SHIFT 16

static const struct op_desc lp_ops[] = {
	LP_PAGE("MEM.PAGE.ADD", ARGS_ENTRY_PAGE, tdh_mem_page_add),
	LP_PAGE("MEM.PAGE.AUG", ARGS_ENTRY_PAGE, tdh_mem_page_aug),
	LP_PAGE("MEM.PAGE.DEMOTE", ARGS_ENTRY_PAGE, tdh_mem_page_demote),
	LP_ENTRY("MEM.PAGE.PROMOTE", ARGS_TABLE, tdh_mem_page_promote),
	LP_PAGE("MEM.PAGE.RELOCATE", ARGS_ENTRY_PAGE, tdh_mem_page_relocate),
	LP_ENTRY("MEM.PAGE.REMOVE", ARGS_ENTRY, tdh_mem_page_remove),
	LP_ENTRY("MEM.RANGE.BLOCK", ARGS_ENTRY, tdh_mem_range_block),
	LP_ENTRY("MEM.RANGE.UNBLOCK", ARGS_ENTRY, tdh_mem_range_unblock),
	LP_ENTRY("MEM.RD", ARGS_ENTRY, tdh_mem_rd),
	LP_PAGE("MEM.SEPT.ADD", ARGS_TABLE_PAGE, tdh_mem_sept_add),
	LP_ENTRY("MEM.SEPT.RD", ARGS_ENTRY, tdh_mem_sept_rd),
	LP_ENTRY("MEM.SEPT.REMOVE", ARGS_TABLE, tdh_mem_sept_remove),
	LP_ENTRY("MEM.WR", ARGS_ENTRY, tdh_mem_wr),
	LP_ENTRY("MR.EXTEND", ARGS_ENTRY, tdh_mr_extend),
	LP_TD("MEM.TRACK", tdh_mem_track),
	LP_TD("MR.FINALIZE", tdh_mr_finalize),
	LP_TD("MNG.ADDCX", tdh_mng_addcx),
	{ "MNG.CREATE", "'MNG.CREATE [retry]'", ARGS_NONE, SEAMCALL_tdh_mng_create },
	LP_TD("MNG.INIT", tdh_mng_init),
	LP_TD("MNG.KEY.CONFIG", tdh_mng_key_config),
	LP_TD("MNG.KEY.FREEID", tdh_mng_key_freeid),
	LP_TD("MNG.KEY.RECLAIMID", tdh_mng_key_reclaimid),
	LP_TD("MNG.VPFLUSHDONE", tdh_mng_vpflushdone),
	{ "MNG.RD", "'MNG.RD FIELD [TD] [retry]'", ARGS_FIELD_TD, SEAMCALL_tdh_mng_rd },
	{ "MNG.WR", "'MNG.WR FIELD VALUE [TD] [retry]'", ARGS_VALUE_TD, SEAMCALL_tdh_mng_wr },
	{ "PHYMEM.CACHE.WB", "'PHYMEM.CACHE.WB [retry]'", ARGS_NONE, SEAMCALL_tdh_phymem_cache_wb },
	LP_ENTRY("PHYMEM.PAGE.RDMD", ARGS_ENTRY, tdh_phymem_page_rdmd),
	LP_ENTRY("PHYMEM.PAGE.RECLAIM", ARGS_ENTRY, tdh_phymem_page_reclaim),
	LP_ENTRY("PHYMEM.PAGE.WBINVD", ARGS_ENTRY, tdh_phymem_page_wbinvd),
	{ "SYS.INFO", "'SYS.INFO [retry]'", ARGS_NONE, SEAMCALL_tdh_sys_info },
	{ "SYS.RD", "'SYS.RD FIELD [retry]'", ARGS_FIELD, SEAMCALL_tdh_sys_rd },
	LP_VCPU("VP.ADDCX", 0, tdh_vp_addcx),
	LP_TD("VP.CREATE", tdh_vp_create),
	LP_VCPU("VP.ENTER", 0, tdh_vp_enter),
	LP_VCPU("VP.FLUSH", 0, tdh_vp_flush),
	LP_VCPU("VP.INIT", 0, tdh_vp_init),
	LP_VCPU("VP.INIT/1", 1, tdh_vp_init),
	{ "VP.RD", "'VP.RD FIELD VCPU [retry]'", ARGS_FIELD_VCPU, SEAMCALL_tdh_vp_rd },
	{ "VP.WR", "'VP.WR FIELD VALUE VCPU [retry]'", ARGS_VALUE_VCPU, SEAMCALL_tdh_vp_wr },
};

static const struct op_desc caller_ops[] = {
	{ "exclusive", "'exclusive host|guest' or 'exclusive host|guest retry'", ARGS_SIDE,
	  SCN_CALLER_EXCLUSIVE },
	{ "shared", "'shared host|guest' or 'shared host|guest retry'", ARGS_SIDE,
	  SCN_CALLER_SHARED },
	{ "promote", "'promote' or 'promote retry'", ARGS_RETRY, SCN_CALLER_PROMOTE },
	{ "commit", "'commit'", ARGS_NONE, SCN_CALLER_COMMIT },
	{ "release", "'release'", ARGS_NONE, SCN_CALLER_RELEASE },
};

enum lane_type {
	LANE_OF_VCPU,
	LANE_OF_HOST,
	LANE_OF_LP,
	LANE_OF_CALLER,
};

static const struct lane_desc {
	const char *what; /* "a WHAT lane" */
	const struct op_desc *ops;
	u32 count;
	u32 loop, end; /* codes */
} lane_descs[] = {
	[LANE_OF_VCPU] = { "vCPU", guest_ops, ARRAY_SIZE(guest_ops), GUEST_LOOP, GUEST_END },
	[LANE_OF_HOST] = { "host", host_ops, ARRAY_SIZE(host_ops), SCN_HOST_LOOP, SCN_HOST_END },
	[LANE_OF_LP] = { "LP", lp_ops, ARRAY_SIZE(lp_ops), SCN_LP_LOOP, SCN_LP_END },
	[LANE_OF_CALLER] = { "caller", caller_ops, ARRAY_SIZE(caller_ops), SCN_CALLER_LOOP,
			     SCN_CALLER_END },
};

struct word {
	const char *text;
	size_t size;
};

/* What a caller lane holds at this point of its program. */
struct hold {
	const struct scn_node *at; /* its acquire; NULL: nothing is held */
	u32 acquire;               /* index */
	u32 depth;                 /* of the loop that it stands in */
	bool guest;
	bool shared;
};

/* The program being read: the pointer that goes with @type is set. */
struct lane {
	struct scn_reader *r;
	enum lane_type type;
	struct scn_vcpu *vcpu;
	struct scn_host *host;
	struct scn_lp *lp;
	struct scn_caller *caller;
	u32 td; /* of a vCPU lane; of a plain page name in another lane */
	u32 capacity;
	u32 depth; /* loops around */
	struct hold hold;
};

/* What a page reference means. */
struct pages {
	u32 td;
	u32 range; /* index */
	u64 first; /* leaf */
	u64 count;
	bool random;
};

/* An operation of any kind of lane, before it goes into the list. */
struct op {
	u32 code;
	u32 leaf;
	bool guest;
	bool retry;
	bool may_fail;
	u32 td;
	u32 vcpu;
	u8 level;
	struct scn_page page;
	struct scn_page owner;
	bool random;
	bool measured;
	u64 gpa;
	u64 count;
	u8 rtmr;
	u64 field;
	u64 value;
	u32 times;
	u32 lp;
};

/* ---- names of TDs and vCPUs ---- */

/* "PREFIXn": true and the number, or false. */
static bool numbered(const char *text, size_t size, const char *prefix, u64 *n)
{
	size_t skip = strlen(prefix);

	return size > skip && memcmp(text, prefix, skip) == 0 &&
	       scn_parse_number(text + skip, size - skip, n);
}

/* "vcpuN" or "tdM.vcpuN". */
static bool vcpu_name(const char *text, size_t size, u64 *td, u64 *vcpu)
{
	const char *dot = memchr(text, '.', size);

	*td = 0;
	if (!dot)
		return numbered(text, size, "vcpu", vcpu);
	return numbered(text, (size_t)(dot - text), "td", td) &&
	       numbered(dot + 1, size - (size_t)(dot - text) - 1, "vcpu", vcpu);
}

static int check_td(struct scn_reader *r, const struct scn_node *at, struct word found, u64 td)
{
	struct scn_shown shown;

	if (td < r->s->td_count)
		return 0;
	scn_show_text(&shown, found.text, found.size);
	if (r->s->td_count == 1)
		return scn_fail(r, at, "found %s; expected td0, the only TD", shown.text);
	return scn_fail(r, at, "found %s; expected a TD from td0 to td%u", shown.text,
			r->s->td_count - 1);
}

static int check_vcpu(struct scn_reader *r, const struct scn_node *at, struct word found, u64 td,
		      u64 vcpu)
{
	struct scn_shown shown;
	u32 vcpus;
	int ret = check_td(r, at, found, td);

	if (ret)
		return ret;
	vcpus = r->s->td[td].vcpus;
	if (vcpu < vcpus)
		return 0;
	scn_show_text(&shown, found.text, found.size);
	if (vcpus == 1)
		return scn_fail(r, at, "found %s; expected vcpu0, the only vCPU of td%u",
				shown.text, (u32)td);
	return scn_fail(r, at, "found %s; expected vcpu0 to vcpu%u, the vCPUs of td%u", shown.text,
			vcpus - 1, (u32)td);
}

/* ---- page references ---- */

static int bad_pages(struct lane *l, const struct scn_node *at, struct word found)
{
	struct scn_shown shown;

	return scn_fail(l->r, at,
			"found %s; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
			"NAME@PART/PARTS or NAME@random",
			scn_show_text(&shown, found.text, found.size));
}

static int find_range(struct lane *l, const struct scn_node *at, u32 td_index, struct word name,
		      u32 *out)
{
	const struct scn_td *td = &l->r->s->td[td_index];
	struct scn_near near = { .word = name.text, .size = name.size };
	struct scn_names names = { .used = 0 };
	struct scn_shown shown, hint;

	for (u32 i = 0; i < td->range_count; i++) {
		if (scn_text_is(name.text, name.size, td->ranges[i].name)) {
			*out = i;
			return 0;
		}
		scn_names_add(&names, td->ranges[i].name);
		scn_near_try(&near, td->ranges[i].name);
	}
	scn_show_text(&shown, name.text, name.size);
	if (!td->range_count)
		return scn_fail(l->r, at, "found range %s; expected no range: td%u has no memory",
				shown.text, td_index);
	return scn_fail(l->r, at, "found range %s; expected one of td%u: %s%s", shown.text,
			td_index, names.text, scn_near_text(&near, &hint));
}

/* Digits at @p, up to @end. */
static bool take_number(const char **p, const char *end, u64 *out)
{
	const char *start = *p;

	while (*p < end && **p >= '0' && **p <= '9')
		(*p)++;
	return scn_parse_number(start, (size_t)(*p - start), out);
}

static bool starts_with(const char *p, const char *end, const char *what)
{
	size_t size = strlen(what);

	return (size_t)(end - p) >= size && memcmp(p, what, size) == 0;
}

/* True at ".." in front of a name, which starts a second reference. */
static bool at_span(const char *p, const char *end)
{
	return starts_with(p, end, "..") && end - p > 2 && p[2] >= 'a' && p[2] <= 'z';
}

/* The part behind the first '@', except "random". Narrows @out. */
static int take_leaves(struct lane *l, const struct scn_node *at, struct word whole, const char **p,
		       const char *end, struct pages *out)
{
	const struct scn_range *range = &l->r->s->td[out->td].ranges[out->range];
	struct scn_shown shown;
	u64 a, b;

	if (!take_number(p, end, &a))
		return bad_pages(l, at, whole);
	scn_show_text(&shown, whole.text, whole.size);
	if (*p < end && **p == '/') {
		(*p)++;
		if (!take_number(p, end, &b))
			return bad_pages(l, at, whole);
		if (b == 0 || range->count % b)
			return scn_fail(l->r, at,
					"found %s; expected a number of parts that divides the "
					"%llu leaves of '%s'",
					shown.text, (unsigned long long)range->count, range->name);
		if (a >= b)
			return scn_fail(l->r, at, "found %s; expected a part from 0 to %llu",
					shown.text, (unsigned long long)(b - 1));
		out->count = range->count / b;
		out->first = a * out->count;
		return 0;
	}
	b = a;
	if (starts_with(*p, end, "..") && !at_span(*p, end)) {
		*p += 2;
		if (!take_number(p, end, &b))
			return bad_pages(l, at, whole);
	} else if (starts_with(*p, end, "@")) {
		return bad_pages(l, at, whole); /* one leaf leaves nothing to draw */
	}
	if (a >= range->count || b >= range->count)
		return scn_fail(l->r, at, "found %s; expected leaves from 0 to %llu of '%s'",
				shown.text, (unsigned long long)(range->count - 1), range->name);
	if (b < a)
		return scn_fail(l->r, at, "found %s; expected the first leaf before the last",
				shown.text);
	out->first = a;
	out->count = b - a + 1;
	return 0;
}

/* One reference at the front of @p; leaves @p behind it. */
static int take_pages(struct lane *l, const struct scn_node *at, struct word whole, const char **p,
		      const char *end, struct pages *out)
{
	const char *start = *p;
	struct scn_shown shown;
	u64 td = l->td;
	int ret;

	while (*p < end && **p != '@' && **p != ':' && !starts_with(*p, end, ".."))
		(*p)++;
	if (*p < end && **p == ':') {
		struct word prefix = { start, (size_t)(*p - start) };

		if (!numbered(prefix.text, prefix.size, "td", &td))
			return bad_pages(l, at, whole);
		if (l->type == LANE_OF_VCPU)
			return scn_fail(l->r, at,
					"found %s in a vCPU lane; expected a range of its own TD, "
					"without 'tdN:'",
					scn_show_text(&shown, whole.text, whole.size));
		ret = check_td(l->r, at, prefix, td);
		if (ret)
			return ret;
		start = ++(*p);
		while (*p < end && **p != '@' && !starts_with(*p, end, ".."))
			(*p)++;
	}
	if (*p == start)
		return bad_pages(l, at, whole);
	*out = (struct pages){ .td = (u32)td };
	ret = find_range(l, at, out->td, (struct word){ start, (size_t)(*p - start) }, &out->range);
	if (ret)
		return ret;
	out->count = l->r->s->td[td].ranges[out->range].count;
	if (starts_with(*p, end, "@") && !starts_with(*p, end, "@random")) {
		(*p)++;
		ret = take_leaves(l, at, whole, p, end, out);
		if (ret)
			return ret;
	}
	if (starts_with(*p, end, "@random")) {
		*p += strlen("@random");
		out->random = true;
	}
	return 0;
}

static void pages_to_op(const struct lane *l, const struct pages *pages, struct op *op)
{
	const struct scn_range *range = &l->r->s->td[pages->td].ranges[pages->range];

	op->td = pages->td;
	op->level = range->level;
	op->random = pages->random;
	op->gpa = range->gpa + pages->first * SL_LEVEL_SIZE(range->level);
	op->count = pages->count;
}

static int read_pages(struct lane *l, const struct scn_node *at, struct word word, struct op *op)
{
	const char *p = word.text, *end = word.text + word.size;
	struct pages pages;
	int ret = take_pages(l, at, word, &p, end, &pages);

	if (ret)
		return ret;
	if (p != end)
		return bad_pages(l, at, word);
	pages_to_op(l, &pages, op);
	return 0;
}

/* A memslot is a range, all of it. */
static int read_slot(struct lane *l, const struct scn_node *at, struct word word, struct op *op)
{
	struct scn_shown shown;
	int ret = read_pages(l, at, word, op);

	if (ret || !memchr(word.text, '@', word.size))
		return ret;
	return scn_fail(l->r, at, "found %s; expected a whole range, without '@'",
			scn_show_text(&shown, word.text, word.size));
}

/* The pages from range @from up to range @to are of one level and leave no address out. */
static int check_joined(struct lane *l, const struct scn_node *at, struct word word,
			const struct scn_range *from, const struct scn_range *to)
{
	struct scn_shown shown;

	scn_show_text(&shown, word.text, word.size);
	for (const struct scn_range *a = from; a < to; a++) {
		const struct scn_range *b = a + 1;

		if (from->level == to->level &&
		    a->gpa + a->count * SL_LEVEL_SIZE(a->level) != b->gpa)
			return scn_fail(l->r, at,
					"found %s; expected ranges without a gap: '%s' does not "
					"start where '%s' ends",
					shown.text, b->name, a->name);
		if (a->level != b->level)
			return scn_fail(l->r, at,
					"found %s; expected ranges of one level: '%s' and '%s' "
					"differ",
					shown.text, a->name, b->name);
	}
	return 0;
}

/* P, or P..Q from the first leaf of P to the last leaf of Q. */
static int read_span(struct lane *l, const struct scn_node *at, struct word word, struct op *op)
{
	const char *p = word.text, *end = word.text + word.size;
	const struct scn_range *range;
	struct pages from, to;
	struct scn_shown shown;
	u64 last;
	int ret = take_pages(l, at, word, &p, end, &from);

	if (ret)
		return ret;
	if (p == end) {
		pages_to_op(l, &from, op);
		return 0;
	}
	if (!at_span(p, end))
		return bad_pages(l, at, word);
	p += 2;
	ret = take_pages(l, at, word, &p, end, &to);
	if (ret)
		return ret;
	if (p != end)
		return bad_pages(l, at, word);
	scn_show_text(&shown, word.text, word.size);
	if (from.random || to.random)
		return scn_fail(l->r, at, "found %s; expected no '@random' beside '..'",
				shown.text);
	range = l->r->s->td[from.td].ranges;
	if (to.range < from.range || (to.range == from.range && to.first + to.count <= from.first))
		return scn_fail(l->r, at, "found %s; expected the first page before the last",
				shown.text);
	ret = check_joined(l, at, word, &range[from.range], &range[to.range]);
	if (ret)
		return ret;
	pages_to_op(l, &from, op);
	last = range[to.range].gpa + (to.first + to.count) * SL_LEVEL_SIZE(range[to.range].level);
	op->count = (last - op->gpa) >> SL_LEVEL_SHIFT(op->level);
	return 0;
}

/* ---- operations ---- */

/* Makes room for one more element of @size bytes behind the @count that are there. */
static void *grow(struct lane *l, void *ops, u32 count, size_t size)
{
	u32 capacity = l->capacity ? l->capacity * 2 : 8;
	void *more;

	if (count < l->capacity)
		return ops;
	more = realloc(ops, (size_t)capacity * size);
	if (more)
		l->capacity = capacity;
	return more;
}

static u32 lane_count(const struct lane *l)
{
	switch (l->type) {
	case LANE_OF_VCPU:
		return l->vcpu->count;
	case LANE_OF_HOST:
		return l->host->count;
	case LANE_OF_LP:
		return l->lp->count;
	case LANE_OF_CALLER:
	default:
		return l->caller->count;
	}
}

static bool emit_guest(struct lane *l, const struct op *op)
{
	struct guest_op *ops = grow(l, l->vcpu->ops, l->vcpu->count, sizeof(*ops));

	if (!ops)
		return false;
	l->vcpu->ops = ops;
	ops[l->vcpu->count++] = (struct guest_op){
		.code = (enum guest_opcode)op->code,
		.level = op->level,
		.rtmr = op->rtmr,
		.random = op->random,
		.gpa = op->gpa,
		.count = op->count ? op->count : 1,
		.times = op->times,
	};
	return true;
}

static bool emit_host(struct lane *l, const struct op *op)
{
	struct scn_host_op *ops = grow(l, l->host->ops, l->host->count, sizeof(*ops));

	if (!ops)
		return false;
	l->host->ops = ops;
	ops[l->host->count++] = (struct scn_host_op){
		.code = (enum scn_host_opcode)op->code,
		.td = op->td,
		.level = op->level,
		.random = op->random,
		.measured = op->measured,
		.retry = op->retry,
		.may_fail = op->may_fail,
		.gpa = op->gpa,
		.count = op->count,
		.vcpu = op->vcpu,
		.lp = op->lp,
		.times = op->times,
	};
	return true;
}

static bool emit_lp(struct lane *l, const struct op *op)
{
	struct scn_lp_op *ops = grow(l, l->lp->ops, l->lp->count, sizeof(*ops));

	if (!ops)
		return false;
	l->lp->ops = ops;
	ops[l->lp->count++] = (struct scn_lp_op){
		.code = (enum scn_lp_opcode)op->code,
		.leaf = op->leaf,
		.td = op->td,
		.level = op->level,
		.page = op->page,
		.owner = op->owner,
		.retry = op->retry,
		.random = op->random,
		.gpa = op->gpa,
		.count = op->count,
		.vcpu = op->vcpu,
		.field = op->field,
		.value = op->value,
		.times = op->times,
	};
	return true;
}

static bool emit_caller(struct lane *l, const struct op *op)
{
	struct scn_caller_op *ops = grow(l, l->caller->ops, l->caller->count, sizeof(*ops));

	if (!ops)
		return false;
	l->caller->ops = ops;
	ops[l->caller->count++] = (struct scn_caller_op){
		.code = (enum scn_caller_opcode)op->code,
		.guest = op->guest,
		.retry = op->retry,
		.times = op->times,
	};
	return true;
}

static int emit(struct lane *l, const struct scn_node *at, const struct op *op)
{
	static bool (*const emits[])(struct lane *, const struct op *) = {
		[LANE_OF_VCPU] = emit_guest,
		[LANE_OF_HOST] = emit_host,
		[LANE_OF_LP] = emit_lp,
		[LANE_OF_CALLER] = emit_caller,
	};

	if (l->r->ops == SCN_OPS_MAX)
		return scn_fail(l->r, at,
				"found more than %u operations; expected a shorter scenario",
				SCN_OPS_MAX);
	l->r->ops++;
	return emits[l->type](l, op) ? 0 : scn_no_memory(l->r);
}

static u32 *match_of(struct lane *l, u32 op)
{
	switch (l->type) {
	case LANE_OF_VCPU:
		return &l->vcpu->ops[op].match;
	case LANE_OF_HOST:
		return &l->host->ops[op].match;
	case LANE_OF_LP:
		return &l->lp->ops[op].match;
	case LANE_OF_CALLER:
	default:
		return &l->caller->ops[op].match;
	}
}

static void set_match(struct lane *l, u32 loop, u32 end)
{
	*match_of(l, loop) = end;
	*match_of(l, end) = loop;
}

static const struct op_desc *find_op(enum lane_type type, struct word name)
{
	const struct lane_desc *d = &lane_descs[type];

	for (u32 i = 0; i < d->count; i++)
		if (scn_text_is(name.text, name.size, d->ops[i].name))
			return &d->ops[i];
	return NULL;
}

/* Is this one of the operations that the scenario's lock has? Every other lane has all of its. */
static bool op_fits(const struct lane *l, const struct op_desc *d)
{
	if (l->type != LANE_OF_CALLER)
		return true;
	switch (d->code) {
	case SCN_CALLER_SHARED:
	case SCN_CALLER_PROMOTE:
		return l->r->s->lock == SCN_LOCK_SHAREX || l->r->s->lock == SCN_LOCK_SHAREX_HP;
	case SCN_CALLER_COMMIT:
		return l->r->s->lock == SCN_LOCK_SEPT_ENTRY;
	default:
		return true;
	}
}

/* The lane, if any, that has this operation: lanes of a TD and of a lock are never together. */
static const char *lane_with_op(const struct lane *l, struct word name)
{
	if (l->type == LANE_OF_CALLER)
		return NULL;
	for (u32 t = LANE_OF_VCPU; t < LANE_OF_CALLER; t++)
		if (t != l->type && find_op((enum lane_type)t, name))
			return lane_descs[t].what;
	return NULL;
}

/* Refuses a name that is no operation of this lane; @d is set if only this version lacks it. */
static int unknown_op(struct lane *l, const struct scn_node *at, struct word name,
		      const struct op_desc *d)
{
	const struct lane_desc *own = &lane_descs[l->type];
	struct scn_near near = { .word = name.text, .size = name.size };
	struct scn_names names = { .used = 0 };
	struct scn_shown shown, hint;
	const char *other = lane_with_op(l, name);

	for (u32 i = 0; i < own->count; i++) {
		if (!op_fits(l, &own->ops[i]))
			continue;
		scn_names_add(&names, own->ops[i].name);
		scn_near_try(&near, own->ops[i].name);
	}
	scn_names_add(&names, "{loop N: [...]}");
	scn_near_try(&near, "loop");
	if (!near.best) {
		/* "other call" for "other-call" */
		near.word = at->text;
		near.size = at->size;
		for (u32 i = 0; i < own->count; i++)
			if (op_fits(l, &own->ops[i]))
				scn_near_try(&near, own->ops[i].name);
	}
	scn_show_text(&shown, name.text, name.size);
	if (d)
		return scn_fail(l->r, at,
				"found operation %s, which this kind of lock does not have; "
				"expected one of %s",
				shown.text, names.text);
	if (other)
		return scn_fail(l->r, at,
				"found operation %s, which belongs into a %s lane; expected one of "
				"%s",
				shown.text, other, names.text);
	return scn_fail(l->r, at, "found operation %s; expected one of %s%s", shown.text,
			names.text, scn_near_text(&near, &hint));
}

static u32 split_words(const struct scn_node *n, struct word *words)
{
	const char *p = n->text, *end = n->text + n->size;
	u32 count = 0;

	while (count < WORDS_MAX) {
		const char *start;

		while (p < end && *p == ' ')
			p++;
		if (p == end)
			break;
		start = p;
		while (p < end && *p != ' ')
			p++;
		words[count++] = (struct word){ start, (size_t)(p - start) };
	}
	return count;
}

static int read_vcpu(struct lane *l, const struct scn_node *at, struct word word, struct op *op)
{
	struct scn_shown shown;
	u64 td = 0, vcpu;
	int ret;

	if (!scn_parse_number(word.text, word.size, &vcpu) &&
	    !vcpu_name(word.text, word.size, &td, &vcpu))
		return scn_fail(l->r, at, "found %s; expected a vCPU: N, vcpuN or tdM.vcpuN",
				scn_show_text(&shown, word.text, word.size));
	ret = check_vcpu(l->r, at, word, td, vcpu);
	if (ret)
		return ret;
	op->td = (u32)td;
	op->vcpu = (u32)vcpu;
	return 0;
}

static int read_td(struct lane *l, const struct scn_node *at, struct word word, struct op *op)
{
	struct scn_shown shown;
	u64 td;
	int ret;

	if (!numbered(word.text, word.size, "td", &td))
		return scn_fail(l->r, at, "found %s; expected a TD: tdN",
				scn_show_text(&shown, word.text, word.size));
	ret = check_td(l->r, at, word, td);
	if (ret)
		return ret;
	op->td = (u32)td;
	return 0;
}

/* A logical processor that no lane has for itself; there are as many as are named. */
static int read_lp(struct lane *l, const struct scn_node *at, struct word word, struct op *op)
{
	struct scn_shown shown;
	u64 n;

	if (!scn_parse_number(word.text, word.size, &n) || n >= SCN_MORE_LPS_MAX)
		return scn_fail(l->r, at, "found %s; expected an LP from 0 to %d",
				scn_show_text(&shown, word.text, word.size), SCN_MORE_LPS_MAX - 1);
	op->lp = (u32)n;
	if (l->r->s->more_lps <= n)
		l->r->s->more_lps = (u32)n + 1;
	return 0;
}

/* A TD that a host lane builds, lets run, tears down or terminates: all of it, or what is left to build. */
static int read_life(struct lane *l, const struct scn_node *at, const struct op_desc *d,
		     struct word word, struct op *op)
{
	struct scn_shown shown;
	struct scn_td *td;
	int ret = read_td(l, at, word, op);

	if (ret)
		return ret;
	td = &l->r->s->td[op->td];
	if (td->unfinished && d->code != SCN_HOST_RUN)
		return scn_fail(l->r, at,
				"found %s, a TD that is not finalized; expected 'run' of it only, "
				"behind 'finalize'",
				scn_show_text(&shown, at->text, at->size));
	td->explicit_life |= !td->unfinished && d->args == ARGS_TD;
	td->torn_down |= d->code == SCN_HOST_TEARDOWN;
	return 0;
}

/* The operation goes on building its TD. */
static int check_building(struct lane *l, const struct scn_node *at, const struct op *op)
{
	struct scn_shown shown;

	if (l->r->s->td[op->td].unfinished)
		return 0;
	return scn_fail(l->r, at, "found %s; expected 'finalized: false' in td%u for it",
			scn_show_text(&shown, at->text, at->size), op->td);
}

static int read_add(struct lane *l, const struct scn_node *at, const struct word *words, u32 count,
		    struct op *op)
{
	struct scn_shown shown;
	int ret = read_pages(l, at, words[1], op);

	if (ret)
		return ret;
	if (op->level)
		return scn_fail(l->r, at, "found %s, a 2M range; expected 4 KB pages",
				scn_show_text(&shown, words[1].text, words[1].size));
	op->measured = count == 3;
	if (op->measured && !scn_text_is(words[2].text, words[2].size, "measured"))
		return scn_fail(l->r, at, "found %s; expected measured, retry or try",
				scn_show_text(&shown, words[2].text, words[2].size));
	return check_building(l, at, op);
}

/* A vCPU that comes later than its TD. */
static int read_later_vcpu(struct lane *l, const struct scn_node *at, const struct op_desc *d,
			   struct word word, struct op *op)
{
	int ret = read_vcpu(l, at, word, op);
	struct scn_vcpu *v;

	if (ret)
		return ret;
	v = &l->r->s->td[op->td].vcpu[op->vcpu];
	v->bare = true;
	v->absent |= d->args == ARGS_NEW_VCPU;
	return check_building(l, at, op);
}

/* A register of MR.RTMR.EXTEND. */
static int read_rtmr(struct lane *l, const struct scn_node *at, struct word word, struct op *op)
{
	struct scn_shown shown;
	u64 n;

	if (!scn_parse_number(word.text, word.size, &n) || n >= SCN_RTMRS)
		return scn_fail(l->r, at, "found %s; expected a register from 0 to %u",
				scn_show_text(&shown, word.text, word.size), SCN_RTMRS - 1);
	op->rtmr = (u8)n;
	return 0;
}

/* A number in decimal, or in hexadecimal with 0x in front. */
static bool parse_word64(struct word word, u64 *out)
{
	u64 v = 0;

	if (word.size < 3 || memcmp(word.text, "0x", 2) != 0)
		return scn_parse_number(word.text, word.size, out);
	if (word.size > 2 + 16)
		return false;
	for (size_t i = 2; i < word.size; i++) {
		char c = word.text[i];
		u32 digit = c >= '0' && c <= '9'   ? (u32)(c - '0')
			    : c >= 'a' && c <= 'f' ? (u32)(c - 'a' + 10)
			    : c >= 'A' && c <= 'F' ? (u32)(c - 'A' + 10)
						   : 16;

		if (digit == 16)
			return false;
		v = v << 4 | digit;
	}
	*out = v;
	return true;
}

enum field_of { FIELD_SYS, FIELD_TD, FIELD_VP };

static const struct {
	const char *name;
	u64 id;
	enum field_of of;
} fields[] = {
#define MD_FIELD(context, name, id, count, host, debug, guest, value) \
	{ #name, id, FIELD_##context },
#include "module/metadata.def"
#undef MD_FIELD
};

/* A metadata field by its name, or any id as a number. */
static int read_field(struct lane *l, const struct scn_node *at, struct word word, enum field_of of,
		      struct op *op)
{
	static const char *const whose[] = { "the module", "a TD", "a vCPU" };
	struct scn_near near = { .word = word.text, .size = word.size };
	struct scn_names names = { .used = 0 };
	struct scn_shown shown, hint;

	for (u32 i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i].of != of)
			continue;
		if (scn_text_is(word.text, word.size, fields[i].name)) {
			op->field = fields[i].id;
			return 0;
		}
		scn_names_add(&names, fields[i].name);
		scn_near_try(&near, fields[i].name);
	}
	if (parse_word64(word, &op->field))
		return 0;
	scn_show_text(&shown, word.text, word.size);
	return scn_fail(l->r, at, "found %s; expected a field of %s, by its id or one of %s%s",
			shown.text, whose[of], names.text, scn_near_text(&near, &hint));
}

static int read_value(struct lane *l, const struct scn_node *at, struct word word, struct op *op)
{
	struct scn_shown shown;

	if (parse_word64(word, &op->value))
		return 0;
	return scn_fail(l->r, at, "found %s; expected a value as N or 0xN",
			scn_show_text(&shown, word.text, word.size));
}

/* A field of a TD or vCPU, the value if there is one, and whose it is. */
static int read_owned_field(struct lane *l, const struct scn_node *at, const struct op_desc *d,
			    const struct word *words, u32 count, struct op *op)
{
	bool vcpu = d->args == ARGS_FIELD_VCPU || d->args == ARGS_VALUE_VCPU;
	bool value = d->args == ARGS_VALUE_TD || d->args == ARGS_VALUE_VCPU;
	u32 owner = value ? 3 : 2;
	int ret = read_field(l, at, words[1], vcpu ? FIELD_VP : FIELD_TD, op);

	if (!ret && value)
		ret = read_value(l, at, words[2], op);
	if (ret || count <= owner)
		return ret;
	return vcpu ? read_vcpu(l, at, words[owner], op) : read_td(l, at, words[owner], op);
}

static int read_side(struct lane *l, const struct scn_node *at, struct word word, struct op *op)
{
	struct scn_shown shown;

	op->guest = scn_text_is(word.text, word.size, "guest");
	if (op->guest || scn_text_is(word.text, word.size, "host"))
		return 0;
	return scn_fail(l->r, at, "found %s; expected host or guest",
			scn_show_text(&shown, word.text, word.size));
}

static int read_retry(struct lane *l, const struct scn_node *at, struct word word, struct op *op)
{
	struct scn_shown shown;

	op->retry = scn_text_is(word.text, word.size, "retry");
	if (op->retry)
		return 0;
	return scn_fail(l->r, at, "found %s; expected retry or nothing",
			scn_show_text(&shown, word.text, word.size));
}

/* From the leaves of a range to the S-EPT entries at @level that map them or lead to them. */
static void set_entry_level(struct op *op, u8 level)
{
	u64 size = SL_LEVEL_SIZE(level), end = op->gpa + op->count * SL_LEVEL_SIZE(op->level);

	op->gpa &= ~(size - 1);
	op->count = (end - op->gpa + size - 1) / size;
	op->level = level;
}

/* A guest has no large pages but those of 2 MB. */
static bool entry_level(const struct lane *l, struct word word, u8 *level)
{
	static const char *const names[] = { "4K", "2M", "1G", "512G" };
	u8 count = l->type == LANE_OF_VCPU ? 2 : ARRAY_SIZE(names);

	for (*level = 0; *level < count; ++*level)
		if (scn_text_is(word.text, word.size, names[*level]))
			return true;
	return false;
}

/* PAGES [LEVEL] [spareN] */
static int read_entries(struct lane *l, const struct scn_node *at, const struct op_desc *d,
			const struct word *words, u32 count, struct op *op)
{
	bool takes_page = d->args == ARGS_ENTRY_PAGE || d->args == ARGS_TABLE_PAGE;
	bool table = d->args == ARGS_TABLE || d->args == ARGS_TABLE_PAGE;
	struct scn_shown shown;
	u32 next = 1;
	u8 level;
	u64 n;
	int ret = read_pages(l, at, words[next++], op);

	if (ret)
		return ret;
	if (next < count && entry_level(l, words[next], &level)) {
		set_entry_level(op, level);
		next++;
	} else if (table) {
		set_entry_level(op, op->level + 1);
	}
	if (next < count && takes_page &&
	    numbered(words[next].text, words[next].size, "spare", &n)) {
		if (n >= SCN_SPARES_MAX)
			return scn_fail(l->r, at, "found %s; expected spare0 to spare%d",
					scn_show_text(&shown, words[next].text, words[next].size),
					SCN_SPARES_MAX - 1);
		op->page = (struct scn_page){ .kind = SCN_PAGE_SPARE, .index = n };
		next++;
	}
	if (next == count)
		return 0;
	return scn_fail(l->r, at, "found %s; expected %s%s",
			scn_show_text(&shown, words[next].text, words[next].size),
			next > 2                  ? "nothing more"
			: l->type == LANE_OF_VCPU ? "a level (4K or 2M)"
						  : "a level (4K, 2M, 1G or 512G)",
			!takes_page || op->page.kind ? ""
			: next == 2                  ? " or spareN"
						     : " but spareN");
}

static int read_args(struct lane *l, const struct scn_node *at, const struct op_desc *d,
		     const struct word *words, u32 count, struct op *op)
{
	struct scn_shown shown;
	int ret;

	switch (d->args) {
	case ARGS_NONE:
		return 0;
	case ARGS_PAGES:
		return read_pages(l, at, words[1], op);
	case ARGS_PAGES_RTMR:
		ret = read_pages(l, at, words[1], op);
		return ret || count == 2 ? ret : read_rtmr(l, at, words[2], op);
	case ARGS_SPAN:
		return read_span(l, at, words[1], op);
	case ARGS_SLOT:
		return read_slot(l, at, words[1], op);
	case ARGS_SHARE:
	case ARGS_SHARE_SPAN:
		if (scn_text_is(words[2].text, words[2].size, "private"))
			op->code = d->args == ARGS_SHARE ? GUEST_MAP_GPA_PRIVATE
							 : GUEST_MAP_RANGE_PRIVATE;
		else if (!scn_text_is(words[2].text, words[2].size, "shared"))
			return scn_fail(l->r, at, "found %s; expected shared or private",
					scn_show_text(&shown, words[2].text, words[2].size));
		return d->args == ARGS_SHARE ? read_pages(l, at, words[1], op)
					     : read_span(l, at, words[1], op);
	case ARGS_VCPU:
		return read_vcpu(l, at, words[1], op);
	case ARGS_TD:
	case ARGS_STANDING_TD:
		return read_life(l, at, d, words[1], op);
	case ARGS_VCPU_LP:
		ret = read_vcpu(l, at, words[1], op);
		return ret ? ret : read_lp(l, at, words[2], op);
	case ARGS_LP:
		return read_lp(l, at, words[1], op);
	case ARGS_TD_OR_NOT:
		ret = count == 2 ? read_td(l, at, words[1], op) : 0;
		if (!ret && l->type == LANE_OF_HOST && d->code == SCN_HOST_FINALIZE)
			ret = check_building(l, at, op);
		return ret;
	case ARGS_ADD:
		return read_add(l, at, words, count, op);
	case ARGS_NEW_VCPU:
	case ARGS_BARE_VCPU:
		return read_later_vcpu(l, at, d, words[1], op);
	case ARGS_SIDE:
		ret = read_side(l, at, words[1], op);
		return ret || count == 2 ? ret : read_retry(l, at, words[2], op);
	case ARGS_RETRY:
		return count == 2 ? read_retry(l, at, words[1], op) : 0;
	case ARGS_FIELD:
		return read_field(l, at, words[1], FIELD_SYS, op);
	case ARGS_FIELD_TD:
	case ARGS_FIELD_VCPU:
	case ARGS_VALUE_TD:
	case ARGS_VALUE_VCPU:
		return read_owned_field(l, at, d, words, count, op);
	case ARGS_ENTRY:
	case ARGS_ENTRY_PAGE:
	case ARGS_TABLE:
	case ARGS_TABLE_PAGE:
		return read_entries(l, at, d, words, count, op);
	}
	return 0;
}

/* The code of a raw SEAMCALL says what it is about, and the leaf stands beside it. */
static void set_leaf(const struct op_desc *d, struct op *op)
{
	op->leaf = d->code;
	switch (d->args) {
	case ARGS_ENTRY:
	case ARGS_ENTRY_PAGE:
	case ARGS_TABLE:
	case ARGS_TABLE_PAGE:
		op->code = SCN_LP_PAGE;
		break;
	case ARGS_VCPU:
	case ARGS_FIELD_VCPU:
	case ARGS_VALUE_VCPU:
		op->code = SCN_LP_VCPU;
		break;
	case ARGS_NONE:
	case ARGS_FIELD:
		op->code = SCN_LP_SYS;
		break;
	default:
		op->code = SCN_LP_TD;
		break;
	}
}

/* An acquire. */
static int open_hold(struct lane *l, const struct scn_node *n, const struct op *op)
{
	struct scn_shown shown;

	if (l->hold.at)
		return scn_fail(l->r, n,
				"found %s inside a hold (line %u); expected 'release' before it",
				scn_show_text(&shown, n->text, n->size), l->hold.at->line);
	l->hold = (struct hold){ .at = n,
				 .acquire = lane_count(l),
				 .depth = l->depth,
				 .guest = op->guest,
				 .shared = op->code == SCN_CALLER_SHARED };
	return 0;
}

static int check_promote(struct lane *l, const struct scn_node *n)
{
	if (!l->hold.at || !l->hold.shared || l->hold.depth != l->depth)
		return scn_fail(l->r, n,
				"found 'promote'; expected it once between 'shared host' and its "
				"'release'");
	if (l->hold.guest && l->r->s->lock == SCN_LOCK_SHAREX_HP)
		return scn_fail(l->r, n,
				"found 'promote' in the hold of a guest (line %u); expected it in "
				"the hold of a host",
				l->hold.at->line);
	l->hold.shared = false;
	return 0;
}

/* Do the operations of a caller lane match? The op's index is lane_count(). */
static int check_hold(struct lane *l, const struct scn_node *n, const struct op *op)
{
	switch (op->code) {
	case SCN_CALLER_EXCLUSIVE:
	case SCN_CALLER_SHARED:
		return open_hold(l, n, op);
	case SCN_CALLER_PROMOTE:
		return check_promote(l, n);
	case SCN_CALLER_COMMIT:
		if (!l->hold.at)
			return scn_fail(l->r, n,
					"found 'commit'; expected it between 'exclusive' and its "
					"'release'");
		return 0;
	case SCN_CALLER_RELEASE:
		if (!l->hold.at || l->hold.depth != l->depth)
			return scn_fail(l->r, n,
					"found 'release'; expected an acquire before it in the "
					"same list");
		*match_of(l, l->hold.acquire) = lane_count(l);
		l->hold.at = NULL;
		return 0;
	default:
		return 0;
	}
}

/* At the end of a list: what it has acquired it has released. */
static int check_released(struct lane *l, u32 depth)
{
	struct scn_shown shown;

	if (!l->hold.at || l->hold.depth != depth)
		return 0;
	return scn_fail(l->r, l->hold.at,
			"found %s without its release; expected 'release' behind it in the same "
			"list",
			scn_show_text(&shown, l->hold.at->text, l->hold.at->size));
}

/* ---- physical pages as operands of raw SEAMCALLs ---- */

/* Where a raw SEAMCALL takes a page of its own, or is about one. */
static bool takes_page(const struct op_desc *d)
{
	switch (d->code) {
	case SEAMCALL_tdh_mng_addcx:
	case SEAMCALL_tdh_mng_create:
	case SEAMCALL_tdh_vp_addcx:
	case SEAMCALL_tdh_vp_create:
	case SEAMCALL_tdh_phymem_page_rdmd:
	case SEAMCALL_tdh_phymem_page_reclaim:
	case SEAMCALL_tdh_phymem_page_wbinvd:
		return true;
	default:
		return d->args == ARGS_ENTRY_PAGE || d->args == ARGS_TABLE_PAGE;
	}
}

/* Where it names a TDR or TDVPR. */
static bool has_owner(const struct op_desc *d)
{
	switch (d->code) {
	case SEAMCALL_tdh_phymem_page_rdmd:
	case SEAMCALL_tdh_phymem_page_reclaim:
	case SEAMCALL_tdh_phymem_page_wbinvd:
		return false;
	default:
		return d->args != ARGS_NONE && d->args != ARGS_FIELD;
	}
}

/* spareN, TDR, TDVPRn, or the first page of PAGES; tdN: in front of all but the first. */
static int read_page(struct lane *l, const struct scn_node *at, struct word word,
		     struct scn_page *out)
{
	const char *colon = memchr(word.text, ':', word.size);
	struct word name = word;
	struct op pages = { .td = l->td };
	u64 td = l->td, n;
	int ret;

	if (numbered(word.text, word.size, "spare", &n) && n < SCN_SPARES_MAX) {
		*out = (struct scn_page){ .kind = SCN_PAGE_SPARE, .index = n };
		return 0;
	}
	if (colon && numbered(word.text, (size_t)(colon - word.text), "td", &td))
		name = (struct word){ colon + 1, word.size - (size_t)(colon + 1 - word.text) };
	if (scn_text_is(name.text, name.size, "TDR")) {
		*out = (struct scn_page){ .kind = SCN_PAGE_TDR, .td = (u32)td };
		return check_td(l->r, at, word, td);
	}
	if (numbered(name.text, name.size, "TDVPR", &n)) {
		*out = (struct scn_page){ .kind = SCN_PAGE_TDVPR, .td = (u32)td, .index = n };
		return check_vcpu(l->r, at, word, td, n);
	}
	ret = read_pages(l, at, word, &pages);
	*out = (struct scn_page){ .kind = SCN_PAGE_GUEST,
				  .td = pages.td,
				  .index = pages.gpa >> SL_PAGE_SHIFT };
	return ret;
}

/* "page=..." and "owner=..." at the end; *count becomes what stands in front of them. */
static int read_operands(struct lane *l, const struct scn_node *at, const struct op_desc *d,
			 const struct word *words, u32 *count, struct op *op)
{
	static const struct {
		const char *name;
		bool (*fits)(const struct op_desc *d);
	} operands[] = { { "page=", takes_page }, { "owner=", has_owner } };
	struct scn_shown shown;

	while (*count > 1) {
		const struct word *w = &words[*count - 1];
		u32 i = 0;
		int ret;

		while (i < ARRAY_SIZE(operands) &&
		       !starts_with(w->text, w->text + w->size, operands[i].name))
			i++;
		if (i == ARRAY_SIZE(operands))
			return 0;
		if (!operands[i].fits(d))
			return scn_fail(l->r, at, "found %s; expected %s, which takes no %.*s",
					scn_show_text(&shown, w->text, w->size), d->form,
					(int)strlen(operands[i].name) - 1, operands[i].name);
		ret = read_page(l, at,
				(struct word){ w->text + strlen(operands[i].name),
					       w->size - strlen(operands[i].name) },
				i ? &op->owner : &op->page);
		if (ret)
			return ret;
		--*count;
	}
	return 0;
}

/* A vCPU that a raw SEAMCALL enters has no lane of its own. */
static void note_raw_entry(struct lane *l, const struct op *op)
{
	if (l->type == LANE_OF_LP && op->leaf == SEAMCALL_tdh_vp_enter)
		l->r->s->td[op->td].vcpu[op->vcpu].raw = true;
}

/* The last word, where the form has "[retry]" or "[retry|try]". How many words that was. */
static u32 read_again(const struct op_desc *d, const struct word *words, u32 count, struct op *op)
{
	const struct word *last = &words[count - 1];

	if (count < 2)
		return 0;
	op->retry = strstr(d->form, "[retry") && scn_text_is(last->text, last->size, "retry");
	op->may_fail = strstr(d->form, "|try]") && scn_text_is(last->text, last->size, "try");
	return op->retry || op->may_fail;
}

static int read_op(struct lane *l, const struct scn_node *n)
{
	static const struct {
		u32 least, most;
	} arg_count[] = {
		[ARGS_NONE] = { 0, 0 },        [ARGS_PAGES] = { 1, 1 },
		[ARGS_PAGES_RTMR] = { 1, 2 },  [ARGS_SPAN] = { 1, 1 },
		[ARGS_SHARE] = { 2, 2 },       [ARGS_VCPU] = { 1, 1 },
		[ARGS_TD] = { 1, 1 },          [ARGS_TD_OR_NOT] = { 0, 1 },
		[ARGS_STANDING_TD] = { 1, 1 }, [ARGS_VCPU_LP] = { 2, 2 },
		[ARGS_LP] = { 1, 1 },          [ARGS_SIDE] = { 1, 2 },
		[ARGS_RETRY] = { 0, 1 },       [ARGS_FIELD] = { 1, 1 },
		[ARGS_FIELD_TD] = { 1, 2 },    [ARGS_FIELD_VCPU] = { 2, 2 },
		[ARGS_VALUE_TD] = { 2, 3 },    [ARGS_VALUE_VCPU] = { 3, 3 },
		[ARGS_ENTRY] = { 1, 2 },       [ARGS_ENTRY_PAGE] = { 1, 3 },
		[ARGS_TABLE] = { 1, 2 },       [ARGS_TABLE_PAGE] = { 1, 3 },
		[ARGS_SLOT] = { 1, 1 },        [ARGS_ADD] = { 1, 2 },
		[ARGS_NEW_VCPU] = { 1, 1 },    [ARGS_BARE_VCPU] = { 1, 1 },
		[ARGS_SHARE_SPAN] = { 2, 2 },
	};
	struct word words[WORDS_MAX];
	u32 count = split_words(n, words);
	const struct op_desc *d;
	struct scn_shown shown;
	struct op op = { .td = l->td };
	int ret;

	if (!count)
		return scn_fail(l->r, n, "found %s; expected an operation", scn_show(&shown, n));
	if (scn_text_is(words[0].text, words[0].size, "loop"))
		return scn_fail(l->r, n, "found %s; expected a mapping: {loop N: [...]}",
				scn_show_text(&shown, n->text, n->size));
	d = find_op(l->type, words[0]);
	if (!d || !op_fits(l, d))
		return unknown_op(l, n, words[0], d);
	if (l->type == LANE_OF_LP || l->type == LANE_OF_HOST)
		count -= read_again(d, words, count, &op);
	ret = l->type == LANE_OF_LP ? read_operands(l, n, d, words, &count, &op) : 0;
	if (ret)
		return ret;
	if (count < 1 + arg_count[d->args].least || count > 1 + arg_count[d->args].most)
		return scn_fail(l->r, n, "found %s; expected %s",
				scn_show_text(&shown, n->text, n->size), d->form);
	op.code = d->code;
	if (l->type == LANE_OF_LP)
		set_leaf(d, &op);
	ret = read_args(l, n, d, words, count, &op);
	if (!ret && l->type == LANE_OF_CALLER)
		ret = check_hold(l, n, &op);
	if (ret)
		return ret;
	note_raw_entry(l, &op);
	return emit(l, n, &op);
}

/* "loop N" or "loop forever". */
static int read_times(struct lane *l, const struct scn_node *key, u32 *times)
{
	struct scn_near near = { .best = NULL };
	struct word words[WORDS_MAX];
	struct scn_shown shown, hint;
	u32 count;
	u64 n;

	if (key->kind != SCN_NODE_SCALAR)
		return scn_fail(l->r, key, "found %s as a key; expected 'loop N' or 'loop forever'",
				scn_show(&shown, key));
	count = split_words(key, words);
	scn_show_text(&shown, key->text, key->size);
	if (count == 2 && scn_text_is(words[0].text, words[0].size, "loop")) {
		if (scn_text_is(words[1].text, words[1].size, "forever")) {
			*times = GUEST_FOREVER;
			return 0;
		}
		if (scn_parse_number(words[1].text, words[1].size, &n) && n >= 1 &&
		    n <= SCN_LOOP_MAX) {
			*times = (u32)n;
			return 0;
		}
		return scn_fail(l->r, key,
				"found %s; expected 'loop N', N from 1 to %u, or 'loop forever'",
				shown.text, SCN_LOOP_MAX);
	}
	if (count) {
		near = (struct scn_near){ .word = words[0].text, .size = words[0].size };
		scn_near_try(&near, "loop");
		if (near.distance == 0)
			near.best = NULL;
	}
	return scn_fail(l->r, key, "found key %s; expected 'loop N' or 'loop forever'%s",
			shown.text, scn_near_text(&near, &hint));
}

static int read_list(struct lane *l, const struct scn_node *list, u32 depth);

static int read_loop(struct lane *l, const struct scn_node *n, u32 depth)
{
	struct op op = {
		.code = lane_descs[l->type].loop,
		.td = l->td,
	};
	struct scn_shown shown;
	u32 start;
	int ret;

	if (n->count != 2)
		return scn_fail(l->r, n->count ? n->first->next->next : n,
				"found a mapping of %u keys; expected one, 'loop N' or 'loop "
				"forever'",
				n->count / 2);
	ret = read_times(l, n->first, &op.times);
	if (ret)
		return ret;
	if (depth == GUEST_LOOPS_MAX)
		return scn_fail(l->r, n->first,
				"found a loop inside %u loops; expected at most %u loops in each "
				"other",
				depth, GUEST_LOOPS_MAX);
	if (n->last->kind != SCN_NODE_LIST || !n->last->count)
		return scn_fail(l->r, n->last, "found %s; expected a list of operations",
				scn_show(&shown, n->last));
	start = lane_count(l);
	ret = emit(l, n, &op);
	if (ret)
		return ret;
	ret = read_list(l, n->last, depth + 1);
	if (ret)
		return ret;
	op.code = lane_descs[l->type].end;
	op.times = 0;
	ret = emit(l, n, &op);
	if (ret)
		return ret;
	set_match(l, start, lane_count(l) - 1);
	return 0;
}

/* Recursion is bounded: read_loop() refuses deeper than GUEST_LOOPS_MAX. */
static int read_list(struct lane *l, const struct scn_node *list, u32 depth)
{
	struct scn_shown shown;
	int ret;

	if (list->kind != SCN_NODE_LIST)
		return scn_fail(l->r, list, "found %s; expected a list of operations",
				scn_show(&shown, list));
	l->depth = depth;
	for (const struct scn_node *n = list->first; n; n = n->next) {
		switch (n->kind) {
		case SCN_NODE_SCALAR:
			ret = read_op(l, n);
			break;
		case SCN_NODE_MAP:
			ret = read_loop(l, n, depth);
			l->depth = depth;
			break;
		default:
			ret = scn_fail(l->r, n, "found %s; expected an operation",
				       scn_show(&shown, n));
			break;
		}
		if (ret)
			return ret;
	}
	return check_released(l, depth);
}

/* ---- lanes ---- */

static const char *lanes_expected(const struct scn_reader *r)
{
	return r->s->lock ? "callerN" : "vcpuN, tdM.vcpuN, hostN, lpN or setup";
}

static int unknown_lane(struct scn_reader *r, const struct scn_node *key)
{
	static const char *const td_kinds[] = { "vcpu", "host", "lp" };
	static const char *const lock_kinds[] = { "caller" };
	const char *const *kinds = r->s->lock ? lock_kinds : td_kinds;
	u32 count = r->s->lock ? ARRAY_SIZE(lock_kinds) : ARRAY_SIZE(td_kinds);
	struct scn_near near = { .word = key->text, .size = key->size };
	struct scn_shown shown;
	char hint[32] = "";
	u64 td, n;

	scn_show_text(&shown, key->text, key->size);
	if (!r->s->lock && numbered(key->text, key->size, "caller", &n))
		return scn_fail(r, key, "found lane %s without a 'lock' for it; expected %s",
				shown.text, lanes_expected(r));
	if (r->s->lock && (vcpu_name(key->text, key->size, &td, &n) ||
			   numbered(key->text, key->size, "host", &n) ||
			   numbered(key->text, key->size, "lp", &n)))
		return scn_fail(r, key, "found lane %s in a scenario of a lock; expected %s",
				shown.text, lanes_expected(r));
	while (near.size && near.word[near.size - 1] >= '0' && near.word[near.size - 1] <= '9')
		near.size--;
	for (u32 i = 0; i < count; i++)
		scn_near_try(&near, kinds[i]);
	if (near.best && scn_parse_number(key->text + near.size, key->size - near.size, &n) &&
	    n < SCN_VCPUS_MAX)
		snprintf(hint, sizeof(hint), "; did you mean '%.6s%u'?", near.best, (u32)n);
	return scn_fail(r, key, "found lane %s; expected %s%s", shown.text, lanes_expected(r),
			hint);
}

/* Where each lane's program stands, 0 = nowhere. */
struct lane_lines {
	u32 vcpu[SCN_TDS_MAX][SCN_VCPUS_MAX];
	u32 host[SCN_HOSTS_MAX];
	u32 lp[SCN_LPS_MAX];
	u32 setup;
	u32 caller[SCN_CALLERS_MAX];
};

/* "PREFIXn" with n below @max. *n = max, and no error, if it is no such name at all. */
static int lane_number(struct scn_reader *r, const struct scn_node *key, const char *prefix,
		       u32 max, u64 *n)
{
	struct scn_shown shown;

	if (!numbered(key->text, key->size, prefix, n)) {
		*n = max;
		return 0;
	}
	if (*n < max)
		return 0;
	return scn_fail(r, key, "found lane %s; expected %s0 to %s%u",
			scn_show_text(&shown, key->text, key->size), prefix, prefix, max - 1);
}

static int open_td_lane(struct scn_reader *r, const struct scn_node *key, struct lane *l,
			struct lane_lines *lines, u32 **line)
{
	u64 td, n;
	int ret;

	if (vcpu_name(key->text, key->size, &td, &n)) {
		ret = check_vcpu(r, key, (struct word){ key->text, key->size }, td, n);
		if (ret)
			return ret;
		l->type = LANE_OF_VCPU;
		l->td = (u32)td;
		l->vcpu = &r->s->td[td].vcpu[n];
		l->vcpu->named = true;
		*line = &lines->vcpu[td][n];
		return 0;
	}
	if (scn_node_is(key, "setup")) {
		l->type = LANE_OF_LP;
		l->lp = &r->s->setup;
		l->lp->named = true;
		*line = &lines->setup;
		return 0;
	}
	ret = lane_number(r, key, "host", SCN_HOSTS_MAX, &n);
	if (!ret && n < SCN_HOSTS_MAX) {
		l->type = LANE_OF_HOST;
		l->host = &r->s->host[n];
		if (r->s->host_count <= n)
			r->s->host_count = (u32)n + 1;
		*line = &lines->host[n];
		return 0;
	}
	if (!ret)
		ret = lane_number(r, key, "lp", SCN_LPS_MAX, &n);
	if (!ret && n < SCN_LPS_MAX) {
		l->type = LANE_OF_LP;
		l->lp = &r->s->lp[n];
		r->s->lp_count += !l->lp->named;
		l->lp->named = true;
		*line = &lines->lp[n];
		return 0;
	}
	return ret ? ret : unknown_lane(r, key);
}

static int open_lock_lane(struct scn_reader *r, const struct scn_node *key, struct lane *l,
			  struct lane_lines *lines, u32 **line)
{
	u64 n;
	int ret = lane_number(r, key, "caller", SCN_CALLERS_MAX, &n);

	if (ret)
		return ret;
	if (n == SCN_CALLERS_MAX)
		return unknown_lane(r, key);
	l->type = LANE_OF_CALLER;
	l->caller = &r->s->caller[n];
	r->s->caller_count += !l->caller->named;
	l->caller->named = true;
	*line = &lines->caller[n];
	return 0;
}

/* Finds the lane that @key names and that no key named before. */
static int open_lane(struct scn_reader *r, const struct scn_node *key, struct lane *l,
		     struct lane_lines *lines)
{
	struct scn_shown shown;
	u32 *line = NULL;
	int ret;

	*l = (struct lane){ .r = r };
	if (r->s->lock)
		ret = open_lock_lane(r, key, l, lines, &line);
	else
		ret = open_td_lane(r, key, l, lines, &line);
	if (ret)
		return ret;
	if (*line)
		return scn_fail(r, key,
				"found lane %s again; expected one program for it (line %u)",
				scn_show_text(&shown, key->text, key->size), *line);
	*line = key->line;
	return 0;
}

static u32 count_lanes(const struct scenario *s)
{
	u32 lanes = s->host_count + s->lp_count + s->more_lps;

	for (u32 i = 0; i < s->td_count; i++)
		lanes += s->td[i].vcpus;
	return lanes;
}

/* What is made once, before anything else, comes to an end, and is for raw SEAMCALLs. */
static int check_setup(struct scn_reader *r, const struct scn_node *run)
{
	const struct scn_lp *setup = &r->s->setup;

	if (!setup->named)
		return 0;
	if (!r->s->lp_count)
		return scn_fail(r, run,
				"found 'setup' without an LP lane; expected an lpN beside it");
	for (u32 i = 0; i < setup->count; i++)
		if (setup->ops[i].code == SCN_LP_LOOP && setup->ops[i].times == GUEST_FOREVER)
			return scn_fail(r, run,
					"found 'loop forever' in 'setup'; expected loops that end");
	return 0;
}

/* A TD that is not finalized cannot run: host lanes go on building it, or LP lanes have it for themselves. */
static int check_unfinished(struct scn_reader *r, const struct scn_node *run)
{
	bool unfinished = false, others = r->s->host_count;

	if (!r->s->lp_count && r->s->host_count)
		return 0;
	for (u32 i = 0; i < r->s->td_count; i++) {
		unfinished |= r->s->td[i].unfinished;
		for (u32 v = 0; v < r->s->td[i].vcpus; v++)
			others |= r->s->td[i].unfinished && r->s->td[i].vcpu[v].named;
	}
	if (!unfinished || (r->s->lp_count && !others))
		return 0;
	return scn_fail(r, run,
			"found a TD that is not finalized; expected host lanes that finalize it, "
			"or LP lanes beside it, no host lane and no lane of its vCPUs");
}

/* TDs that host lanes go on building. No page is pending before the TD is finalized. */
static int check_stepwise(struct scn_reader *r, const struct scn_node *run)
{
	for (u32 i = 0; i < r->s->td_count; i++) {
		struct scn_td *td = &r->s->td[i];

		td->stepwise = td->unfinished && !r->s->lp_count;
		for (u32 j = 0; td->stepwise && j < td->range_count; j++)
			if (td->ranges[j].state == SCN_PENDING)
				return scn_fail(
					r, run,
					"found range '%s' of td%u pending; expected free or "
					"mapped in a TD that host lanes finalize",
					td->ranges[j].name, i);
	}
	return 0;
}

/* A raw SEAMCALL may come at any time: its TD has to be there. */
static int check_lps(struct scn_reader *r, const struct scn_node *run)
{
	int ret = check_setup(r, run);

	if (!ret)
		ret = check_unfinished(r, run);
	if (ret)
		return ret;
	for (u32 i = 0; r->s->lp_count && i < r->s->td_count; i++)
		if (r->s->td[i].explicit_life || r->s->td[i].torn_down)
			return scn_fail(r, run,
					"found LP lanes beside 'build', 'run' or 'teardown'; "
					"expected TDs that stand all the time");
	return 0;
}

int scn_read_lanes(struct scn_reader *r, const struct scn_node *run)
{
	struct lane_lines lines = { 0 };
	struct scn_shown shown;
	int ret;

	if (run->kind != SCN_NODE_MAP)
		return scn_fail(r, run, "found %s; expected a mapping of lanes",
				scn_show(&shown, run));
	for (const struct scn_node *key = run->first; key; key = key->next->next) {
		struct lane l;

		if (key->kind != SCN_NODE_SCALAR)
			return scn_fail(r, key, "found %s as a key; expected the name of a lane",
					scn_show(&shown, key));
		ret = open_lane(r, key, &l, &lines);
		if (ret)
			return ret;
		ret = read_list(&l, key->next, 0);
		if (ret)
			return ret;
		if (l.vcpu && l.vcpu->count)
			guest_program_link(l.vcpu->ops, l.vcpu->count);
	}
	if (count_lanes(r->s) > SL_LPS_MAX)
		return scn_fail(
			r, run,
			"found %u logical processors, one for each lane of a vCPU, a host or an "
			"LP and those that 'migrate' and 'offline' name; expected at most %d",
			count_lanes(r->s), SL_LPS_MAX);
	for (u32 i = 0; i < r->s->td_count; i++)
		r->s->td[i].gated = r->s->td[i].explicit_life || r->s->td[i].unfinished;
	ret = check_lps(r, run);
	return ret ? ret : check_stepwise(r, run);
}
