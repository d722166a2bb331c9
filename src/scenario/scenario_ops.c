// SPDX-License-Identifier: MIT
/*
 * Lanes of a scenario: operation strings and loops to flat lists of operations.
 * Never prints, never exits. Layer: scenario.
 */
#include "scenario/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 4

enum op_args {
	ARGS_NONE,
	ARGS_PAGES,
	ARGS_SPAN,  /* pages, or pages..pages */
	ARGS_SHARE, /* pages and shared|private */
	ARGS_VCPU,
	ARGS_TD,
};

struct op_desc {
	const char *name;
	const char *form; /* how it is written, for messages */
	enum op_args args;
	u32 code;
	const char *missing; /* leaf that the module lacks; "" = not in this version */
};

static const struct op_desc guest_ops[] = {
	{ "accept", "'accept PAGES'", ARGS_PAGES, GUEST_ACCEPT, NULL },
	{ "read", "'read PAGES'", ARGS_PAGES, GUEST_READ, NULL },
	{ "write", "'write PAGES'", ARGS_PAGES, GUEST_WRITE, NULL },
	{ "attr-rd", "'attr-rd PAGES'", ARGS_PAGES, GUEST_ATTR_RD, NULL },
	{ "touch", "'touch PAGES' or 'touch PAGES..PAGES'", ARGS_SPAN, GUEST_TOUCH, NULL },
	{ "other-call", "'other-call'", ARGS_NONE, GUEST_OTHER_CALL, NULL },
	{ "map-gpa", "'map-gpa PAGES shared|private'", ARGS_SHARE, GUEST_MAP_GPA_SHARED, NULL },
	{ "halt", "'halt'", ARGS_NONE, GUEST_HALT, NULL },
	{ "attr-wr", NULL, ARGS_NONE, 0, "TDG.MEM.PAGE.ATTR.WR" },
	{ "rtmr-extend", NULL, ARGS_NONE, 0, "TDG.MR.RTMR.EXTEND" },
	{ "report", NULL, ARGS_NONE, 0, "TDG.MR.REPORT" },
};

static const struct op_desc host_ops[] = {
	{ "map", "'map PAGES'", ARGS_PAGES, SCN_HOST_MAP, NULL },
	{ "zap", "'zap PAGES'", ARGS_PAGES, SCN_HOST_ZAP, NULL },
	{ "signal", "'signal VCPU'", ARGS_VCPU, SCN_HOST_SIGNAL, NULL },
	{ "interrupt", "'interrupt VCPU'", ARGS_VCPU, SCN_HOST_INTERRUPT, NULL },
	{ "build", "'build TD'", ARGS_TD, SCN_HOST_BUILD, NULL },
	{ "run", "'run TD'", ARGS_TD, SCN_HOST_RUN, NULL },
	{ "teardown", "'teardown TD'", ARGS_TD, SCN_HOST_TEARDOWN, NULL },
	{ "split", NULL, ARGS_NONE, 0, "" },
	{ "promote", NULL, ARGS_NONE, 0, "" },
	{ "delete-slot", NULL, ARGS_NONE, 0, "" },
	{ "prefault", NULL, ARGS_NONE, 0, "" },
	{ "add", NULL, ARGS_NONE, 0, "" },
	{ "init-vcpu", NULL, ARGS_NONE, 0, "" },
	{ "finalize", NULL, ARGS_NONE, 0, "" },
	{ "migrate", NULL, ARGS_NONE, 0, "" },
};

struct word {
	const char *text;
	size_t size;
};

/* The program being read: exactly one of @vcpu and @host is set. */
struct lane {
	struct scn_reader *r;
	struct scn_vcpu *vcpu;
	struct scn_host *host;
	u32 td; /* of a vCPU lane; of a plain page name in a host lane */
	u32 capacity;
};

/* What a page reference means. */
struct pages {
	u32 td;
	u32 range; /* index */
	u64 first; /* leaf */
	u64 count;
	bool random;
};

/* Op codes of both kinds of lane, before they go into the list. */
struct op {
	u32 code;
	u32 td;
	u32 vcpu;
	u8 level;
	bool random;
	u64 gpa;
	u64 count;
	u32 times;
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
		if (l->vcpu)
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
	return l->vcpu ? l->vcpu->count : l->host->count;
}

static int emit(struct lane *l, const struct scn_node *at, const struct op *op)
{
	if (l->r->ops == SCN_OPS_MAX)
		return scn_fail(l->r, at,
				"found more than %u operations; expected a shorter scenario",
				SCN_OPS_MAX);
	l->r->ops++;
	if (l->vcpu) {
		struct guest_op *ops = grow(l, l->vcpu->ops, l->vcpu->count, sizeof(*ops));

		if (!ops)
			return scn_no_memory(l->r);
		l->vcpu->ops = ops;
		ops[l->vcpu->count++] = (struct guest_op){
			.code = (enum guest_opcode)op->code,
			.level = op->level,
			.random = op->random,
			.gpa = op->gpa,
			.count = op->count ? op->count : 1,
			.times = op->times,
		};
	} else {
		struct scn_host_op *ops = grow(l, l->host->ops, l->host->count, sizeof(*ops));

		if (!ops)
			return scn_no_memory(l->r);
		l->host->ops = ops;
		ops[l->host->count++] = (struct scn_host_op){
			.code = (enum scn_host_opcode)op->code,
			.td = op->td,
			.level = op->level,
			.random = op->random,
			.gpa = op->gpa,
			.count = op->count,
			.vcpu = op->vcpu,
			.times = op->times,
		};
	}
	return 0;
}

static void set_match(struct lane *l, u32 loop, u32 end)
{
	if (l->vcpu) {
		l->vcpu->ops[loop].match = end;
		l->vcpu->ops[end].match = loop;
	} else {
		l->host->ops[loop].match = end;
		l->host->ops[end].match = loop;
	}
}

static const struct op_desc *find_op(const struct op_desc *table, size_t count, struct word name)
{
	for (size_t i = 0; i < count; i++)
		if (scn_text_is(name.text, name.size, table[i].name))
			return &table[i];
	return NULL;
}

/* Refuses a name that is no operation of this lane; @d is set if only this version lacks it. */
static int unknown_op(struct lane *l, const struct scn_node *at, struct word name,
		      const struct op_desc *d)
{
	const struct op_desc *own = l->vcpu ? guest_ops : host_ops;
	const struct op_desc *other = l->vcpu ? host_ops : guest_ops;
	size_t own_count = l->vcpu ? ARRAY_SIZE(guest_ops) : ARRAY_SIZE(host_ops);
	size_t other_count = l->vcpu ? ARRAY_SIZE(host_ops) : ARRAY_SIZE(guest_ops);
	struct scn_near near = { .word = name.text, .size = name.size };
	struct scn_names names = { .used = 0 };
	struct scn_shown shown, hint;

	for (size_t i = 0; i < own_count; i++) {
		if (own[i].missing)
			continue;
		scn_names_add(&names, own[i].name);
		scn_near_try(&near, own[i].name);
	}
	scn_names_add(&names, "{loop N: [...]}");
	scn_near_try(&near, "loop");
	if (!near.best) {
		/* "other call" for "other-call" */
		near.word = at->text;
		near.size = at->size;
		for (size_t i = 0; i < own_count; i++)
			if (!own[i].missing)
				scn_near_try(&near, own[i].name);
	}
	scn_show_text(&shown, name.text, name.size);
	if (d && d->missing[0])
		return scn_fail(l->r, at,
				"found operation %s, whose %s this version's module lacks; "
				"expected one of %s",
				shown.text, d->missing, names.text);
	if (d)
		return scn_fail(l->r, at,
				"found operation %s, which comes in a later version; expected one "
				"of %s",
				shown.text, names.text);
	if (find_op(other, other_count, name))
		return scn_fail(l->r, at,
				"found operation %s, which belongs into a %s lane; expected one of "
				"%s",
				shown.text, l->vcpu ? "host" : "vCPU", names.text);
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
	l->r->s->td[td].explicit_life = true;
	return 0;
}

static int read_args(struct lane *l, const struct scn_node *at, const struct op_desc *d,
		     const struct word *words, struct op *op)
{
	struct scn_shown shown;

	switch (d->args) {
	case ARGS_NONE:
		return 0;
	case ARGS_PAGES:
		return read_pages(l, at, words[1], op);
	case ARGS_SPAN:
		return read_span(l, at, words[1], op);
	case ARGS_SHARE:
		if (scn_text_is(words[2].text, words[2].size, "private"))
			op->code = GUEST_MAP_GPA_PRIVATE;
		else if (!scn_text_is(words[2].text, words[2].size, "shared"))
			return scn_fail(l->r, at, "found %s; expected shared or private",
					scn_show_text(&shown, words[2].text, words[2].size));
		return read_pages(l, at, words[1], op);
	case ARGS_VCPU:
		return read_vcpu(l, at, words[1], op);
	case ARGS_TD:
		return read_td(l, at, words[1], op);
	}
	return 0;
}

static int read_op(struct lane *l, const struct scn_node *n)
{
	static const u32 arg_count[] = {
		[ARGS_NONE] = 0,  [ARGS_PAGES] = 1, [ARGS_SPAN] = 1,
		[ARGS_SHARE] = 2, [ARGS_VCPU] = 1,  [ARGS_TD] = 1,
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
	if (l->vcpu)
		d = find_op(guest_ops, ARRAY_SIZE(guest_ops), words[0]);
	else
		d = find_op(host_ops, ARRAY_SIZE(host_ops), words[0]);
	if (!d || d->missing)
		return unknown_op(l, n, words[0], d);
	if (count != 1 + arg_count[d->args])
		return scn_fail(l->r, n, "found %s; expected %s",
				scn_show_text(&shown, n->text, n->size), d->form);
	op.code = d->code;
	ret = read_args(l, n, d, words, &op);
	if (ret)
		return ret;
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
		.code = l->vcpu ? (u32)GUEST_LOOP : (u32)SCN_HOST_LOOP,
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
	op.code = l->vcpu ? (u32)GUEST_END : (u32)SCN_HOST_END;
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
	for (const struct scn_node *n = list->first; n; n = n->next) {
		switch (n->kind) {
		case SCN_NODE_SCALAR:
			ret = read_op(l, n);
			break;
		case SCN_NODE_MAP:
			ret = read_loop(l, n, depth);
			break;
		default:
			ret = scn_fail(l->r, n, "found %s; expected an operation",
				       scn_show(&shown, n));
			break;
		}
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- lanes ---- */

static int unknown_lane(struct scn_reader *r, const struct scn_node *key)
{
	static const char *const kinds[] = { "vcpu", "host" };
	struct scn_near near = { .word = key->text, .size = key->size };
	struct scn_shown shown;
	char hint[32] = "";
	u64 n;

	scn_show_text(&shown, key->text, key->size);
	if (numbered(key->text, key->size, "lp", &n) ||
	    numbered(key->text, key->size, "caller", &n))
		return scn_fail(r, key,
				"found lane %s, which comes with the explorer in a later version; "
				"expected vcpuN, tdM.vcpuN or hostN",
				shown.text);
	while (near.size && near.word[near.size - 1] >= '0' && near.word[near.size - 1] <= '9')
		near.size--;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		scn_near_try(&near, kinds[i]);
	if (near.best && scn_parse_number(key->text + near.size, key->size - near.size, &n) &&
	    n < SCN_VCPUS_MAX)
		snprintf(hint, sizeof(hint), "; did you mean '%.5s%u'?", near.best, (u32)n);
	return scn_fail(r, key, "found lane %s; expected vcpuN, tdM.vcpuN or hostN%s", shown.text,
			hint);
}

/* Finds the lane that @key names and that no key named before. */
static int open_lane(struct scn_reader *r, const struct scn_node *key, struct lane *l,
		     u32 vcpu_lines[SCN_TDS_MAX][SCN_VCPUS_MAX], u32 host_lines[SCN_HOSTS_MAX])
{
	struct word word = { key->text, key->size };
	struct scn_shown shown;
	u64 td, n;
	u32 *line;
	int ret;

	*l = (struct lane){ .r = r };
	scn_show_text(&shown, key->text, key->size);
	if (vcpu_name(key->text, key->size, &td, &n)) {
		ret = check_vcpu(r, key, word, td, n);
		if (ret)
			return ret;
		l->td = (u32)td;
		l->vcpu = &r->s->td[td].vcpu[n];
		line = &vcpu_lines[td][n];
	} else if (numbered(key->text, key->size, "host", &n)) {
		if (n >= SCN_HOSTS_MAX)
			return scn_fail(r, key, "found lane %s; expected host0 to host%d",
					shown.text, SCN_HOSTS_MAX - 1);
		l->host = &r->s->host[n];
		if (r->s->host_count <= n)
			r->s->host_count = (u32)n + 1;
		line = &host_lines[n];
	} else {
		return unknown_lane(r, key);
	}
	if (*line)
		return scn_fail(r, key,
				"found lane %s again; expected one program for it (line %u)",
				shown.text, *line);
	*line = key->line;
	return 0;
}

int scn_read_lanes(struct scn_reader *r, const struct scn_node *run)
{
	u32 vcpu_lines[SCN_TDS_MAX][SCN_VCPUS_MAX] = { { 0 } };
	u32 host_lines[SCN_HOSTS_MAX] = { 0 };
	struct scn_shown shown;
	u32 lanes;
	int ret;

	if (run->kind != SCN_NODE_MAP)
		return scn_fail(r, run, "found %s; expected a mapping of lanes",
				scn_show(&shown, run));
	for (const struct scn_node *key = run->first; key; key = key->next->next) {
		struct lane l;

		if (key->kind != SCN_NODE_SCALAR)
			return scn_fail(r, key, "found %s as a key; expected the name of a lane",
					scn_show(&shown, key));
		ret = open_lane(r, key, &l, vcpu_lines, host_lines);
		if (ret)
			return ret;
		ret = read_list(&l, key->next, 0);
		if (ret)
			return ret;
		if (l.vcpu && l.vcpu->count)
			guest_program_link(l.vcpu->ops, l.vcpu->count);
	}
	lanes = r->s->host_count;
	for (u32 i = 0; i < r->s->td_count; i++)
		lanes += r->s->td[i].vcpus;
	if (lanes > SL_LPS_MAX)
		return scn_fail(r, run,
				"found %u vCPUs and host lanes; expected at most %d, one logical "
				"processor each",
				lanes, SL_LPS_MAX);
	return 0;
}
