// SPDX-License-Identifier: MIT
/*
 * Small tools of the scenario reader: error texts, scalars, mappings, near misses.
 * Never prints, never exits. Layer: scenario.
 */
#include "scenario/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Characters of a scalar that an error shows. */
#define SHOWN_MAX 60
/* Words longer than this are no near miss of anything. */
#define NEAR_MAX 32

/* The YAML parser puts some marks behind the end of a line: brings one back to the end. */
static u32 clamp_column(const struct scn_reader *r, u32 line, u32 column)
{
	u32 at_line = 1, at_column = 1;

	for (size_t i = 0; i < r->size && at_line <= line; i++) {
		char c = r->text[i];

		if (c == '\n' || (c == '\r' && (i + 1 == r->size || r->text[i + 1] != '\n'))) {
			if (at_line == line)
				break;
			at_line++;
			at_column = 1;
		} else if (((u8)c & 0xc0) != 0x80) {
			at_column++;
		}
	}
	if (at_line < line)
		return 1;
	return column < at_column ? column : at_column;
}

static int fail_va(struct scn_reader *r, u32 line, u32 column, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

static int fail_va(struct scn_reader *r, u32 line, u32 column, const char *fmt, va_list ap)
{
	char text[sizeof(r->err->text)];

	vsnprintf(text, sizeof(text), fmt, ap);
	return sl_err_set(r->err, -EINVAL, "%s:%u:%u: %s", r->path, line,
			  clamp_column(r, line, column), text);
}

int scn_fail_at(struct scn_reader *r, u32 line, u32 column, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = fail_va(r, line, column, fmt, ap);
	va_end(ap);
	return ret;
}

int scn_fail(struct scn_reader *r, const struct scn_node *at, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = fail_va(r, at->line, at->column, fmt, ap);
	va_end(ap);
	return ret;
}

int scn_no_memory(struct scn_reader *r)
{
	return sl_err_set(r->err, -ENOMEM, "%s: out of memory", r->path);
}

const char *scn_show_text(struct scn_shown *out, const char *text, size_t size)
{
	size_t used = 0, i = 0;

	out->text[used++] = '\'';
	while (i < size && used < SHOWN_MAX) {
		u8 c = (u8)text[i++];

		/* Nothing that a terminal would act upon: C0, DEL, C1 (0xc2 0x80 to 0xc2 0x9f). */
		if (c == 0xc2 && i < size && (u8)text[i] < 0xa0) {
			i++;
			c = '?';
		}
		out->text[used++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
		/* A character of several bytes stays whole. */
		while (i < size && ((u8)text[i] & 0xc0) == 0x80 && used < SHOWN_MAX + 4)
			out->text[used++] = text[i++];
	}
	if (i < size) {
		memcpy(out->text + used, "...", 3);
		used += 3;
	}
	out->text[used++] = '\'';
	out->text[used] = 0;
	return out->text;
}

const char *scn_show(struct scn_shown *out, const struct scn_node *n)
{
	struct scn_shown word;

	switch (n->kind) {
	case SCN_NODE_NULL:
		return "nothing";
	case SCN_NODE_LIST:
		return n->count ? "a list" : "an empty list";
	case SCN_NODE_MAP:
		return "a mapping";
	case SCN_NODE_SCALAR:
		break;
	}
	scn_show_text(&word, n->text, n->size);
	snprintf(out->text, sizeof(out->text), "%s%.70s", n->quoted ? "the string " : "",
		 word.text);
	return out->text;
}

void scn_names_add(struct scn_names *l, const char *name)
{
	size_t size = strlen(name);

	if (l->full)
		return;
	/* Room for ", name", then ", ..." and the zero byte. */
	if (l->used + size + 8 > sizeof(l->text)) {
		memcpy(l->text + l->used, ", ...", 6);
		l->full = true;
		return;
	}
	if (l->used) {
		memcpy(l->text + l->used, ", ", 2);
		l->used += 2;
	}
	memcpy(l->text + l->used, name, size + 1);
	l->used += size;
}

static u32 min3(u32 a, u32 b, u32 c)
{
	u32 m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits from @a to @b: insert, delete, change, or swap of two neighbours. */
static u32 edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	u32 row[3][NEAR_MAX + 1];
	u32 *before = row[0], *last = row[1], *now = row[2], *spare;
	size_t i, j;

	for (j = 0; j <= b_size; j++) {
		before[j] = 0;
		last[j] = (u32)j;
	}
	for (i = 1; i <= a_size; i++) {
		now[0] = (u32)i;
		for (j = 1; j <= b_size; j++) {
			u32 same = a[i - 1] == b[j - 1] ? 0 : 1;

			now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[b_size];
}

void scn_near_try(struct scn_near *n, const char *known)
{
	size_t known_size = strlen(known);
	/* At most two edits, and never more than half of the word. */
	u32 limit = known_size < 4 ? (u32)(known_size / 2) : 2;
	u32 d;

	if (n->size > NEAR_MAX || known_size > NEAR_MAX)
		return;
	d = edit_distance(n->word, n->size, known, known_size);
	if (d > limit || (n->best && d >= n->distance))
		return;
	n->best = known;
	n->distance = d;
}

const char *scn_near_text(const struct scn_near *n, struct scn_shown *out)
{
	if (!n->best)
		return "";
	snprintf(out->text, sizeof(out->text), "; did you mean '%.60s'?", n->best);
	return out->text;
}

bool scn_text_is(const char *text, size_t size, const char *what)
{
	return size == strlen(what) && memcmp(text, what, size) == 0;
}

bool scn_node_is(const struct scn_node *n, const char *what)
{
	return n->kind == SCN_NODE_SCALAR && scn_text_is(n->text, n->size, what);
}

bool scn_parse_number(const char *text, size_t size, u64 *out)
{
	u64 v = 0;

	/* 18 digits cannot overflow. */
	if (size == 0 || size > 18 || (size > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (u64)(text[i] - '0');
	}
	*out = v;
	return true;
}

int scn_get_number(struct scn_reader *r, const struct scn_node *n, u64 min, u64 max, u32 *out)
{
	struct scn_shown shown;
	u64 v;

	if (n->kind != SCN_NODE_SCALAR || n->quoted || !scn_parse_number(n->text, n->size, &v) ||
	    v < min || v > max)
		return scn_fail(r, n, "found %s; expected a whole number from %llu to %llu",
				scn_show(&shown, n), (unsigned long long)min,
				(unsigned long long)max);
	*out = (u32)v;
	return 0;
}

int scn_get_bool(struct scn_reader *r, const struct scn_node *n, bool *out)
{
	struct scn_shown shown;

	if (!n->quoted && scn_node_is(n, "true")) {
		*out = true;
		return 0;
	}
	if (!n->quoted && scn_node_is(n, "false")) {
		*out = false;
		return 0;
	}
	return scn_fail(r, n, "found %s; expected true or false", scn_show(&shown, n));
}

static int unknown_key(struct scn_reader *r, const struct scn_node *key, const struct scn_key *keys,
		       u32 count)
{
	struct scn_near near = { .word = key->text, .size = key->size };
	struct scn_names names = { .used = 0 };
	struct scn_shown shown, hint;
	const char *one_of;

	for (u32 i = 0; i < count; i++) {
		scn_names_add(&names, keys[i].name);
		scn_near_try(&near, keys[i].name);
	}
	one_of = count > 1 ? "one of " : "";
	scn_show_text(&shown, key->text, key->size);
	return scn_fail(r, key, "found key %s; expected %s%s%s", shown.text, one_of, names.text,
			scn_near_text(&near, &hint));
}

int scn_get_map(struct scn_reader *r, const struct scn_node *n, struct scn_key *keys, u32 count)
{
	struct scn_shown shown;
	u32 i;

	if (n->kind != SCN_NODE_MAP)
		return scn_fail(r, n, "found %s; expected a mapping", scn_show(&shown, n));
	for (const struct scn_node *key = n->first; key; key = key->next->next) {
		if (key->kind != SCN_NODE_SCALAR)
			return scn_fail(r, key, "found %s as a key; expected a word",
					scn_show(&shown, key));
		for (i = 0; i < count; i++)
			if (scn_node_is(key, keys[i].name))
				break;
		if (i == count)
			return unknown_key(r, key, keys, count);
		if (keys[i].key)
			return scn_fail(r, key, "found key '%s' again; expected it once (line %u)",
					keys[i].name, keys[i].key->line);
		keys[i].key = key;
		keys[i].value = key->next;
	}
	for (i = 0; i < count; i++)
		if (keys[i].required && !keys[i].value)
			return scn_fail(r, n, "found a mapping without '%s'; expected '%s'",
					keys[i].name, keys[i].required);
	return 0;
}
