// SPDX-License-Identifier: MIT
/* seamlab explain: what a text means, as text or JSON. Layer: report. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <seamlab/tdx_abi.h>

#include "module/release.h"
#include "report/explain_report.h"
#include "scenario/reader.h"

/* ---- reading --------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((u8)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hex(const char *text, size_t size, u64 *value)
{
	u64 v = 0;

	if (!size || size > 16)
		return false;
	for (size_t i = 0; i < size; i++) {
		int d = hex_digit(text[i]);

		if (d < 0)
			return false;
		v = v << 4 | (u64)d;
	}
	*value = v;
	return true;
}

static bool parse_decimal(const char *text, size_t size, u64 *value)
{
	u64 v = 0;

	if (!size || size > 20)
		return false;
	for (size_t i = 0; i < size; i++) {
		u64 d = (u64)(text[i] - '0');

		if (text[i] < '0' || text[i] > '9' || v > (~0ull - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*value = v;
	return true;
}

bool explain_number(const char *text, size_t size, u64 *value)
{
	bool negative = size && text[0] == '-';
	bool good;

	text += negative;
	size -= negative;
	/* What printf() calls %016llx is hexadecimal, even if no letter gives it away. */
	if (size > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		good = parse_hex(text + 2, size - 2, value);
	else if (size == 16)
		good = parse_hex(text, size, value);
	else
		good = parse_decimal(text, size, value);
	/* A negative number is how a signed format prints a status. */
	if (good && negative)
		*value = 0 - *value;
	return good;
}

/* "NAME", "NAME|OPERAND", "NAME + OPERAND" or either with a number for the operand. */
static bool parse_status_name(const char *text, u64 *value)
{
	size_t name = strcspn(text, "|+ ");
	const char *rest = text + name + strspn(text + name, "|+ ");
	u32 id;
	u64 low;

	if (!status_by_name(text, name, value))
		return false;
	if (!*rest)
		return !text[name] || *value == 0 ||
		       strspn(text + name, " ") == strlen(text + name);
	if (operand_by_name(rest, strlen(rest), &id))
		low = id;
	else if (!explain_number(rest, strlen(rest), &low) || low > UINT32_MAX)
		return false;
	*value |= low;
	return true;
}

static void add_leaf(struct explain_subject *s, const struct leaf_ref *leaf, u32 version)
{
	if (!leaf)
		return;
	s->leaf[s->leaf_count] = *leaf;
	s->leaf[s->leaf_count++].version = version;
}

static void read_number(const struct sl_explain_options *o, u64 value, struct explain_subject *s)
{
	/* RAX of a call: leaf 15:0, version 23:16. */
	u32 leaf = (u32)(value & 0xFFFF), version = (u32)(value >> TDX_RAX_VERSION_SHIFT & 0xFF);
	bool is_rax = value >> 24 == 0;

	s->value = value;
	s->is_status = o->as == SL_AS_ANY || o->as == SL_AS_STATUS;
	if (is_rax && (o->as == SL_AS_ANY || o->as == SL_AS_SEAMCALL))
		add_leaf(s, leaf_by_number(o->release, false, leaf), version);
	if (is_rax && (o->as == SL_AS_ANY || o->as == SL_AS_TDCALL))
		add_leaf(s, leaf_by_number(o->release, true, leaf), version);
	/* The upper half of a status alone. */
	if (o->as == SL_AS_ANY && value >> 30 && value >> 32 == 0 && status_is_known(value << 32))
		s->value = value << 32;
}

/* Reads one text. 0, or -EINVAL and a message. */
static int read_subject(const struct sl_explain_options *o, const char *text,
			struct explain_subject *s, char *err, size_t err_size)
{
	const struct leaf_ref *leaf[2];
	size_t size = strlen(text);
	struct scn_shown shown;
	enum oracle_id oracle;
	u64 value;
	u32 n;

	*s = (struct explain_subject){ .text = text };
	if (explain_number(text, size, &value)) {
		read_number(o, value, s);
		if (s->is_status || s->leaf_count)
			return 0;
		snprintf(err, err_size, "found %s; expected the number of a %s of release %s",
			 scn_show_text(&shown, text, size),
			 o->as == SL_AS_TDCALL ? "TDCALL" : "SEAMCALL",
			 sl_release_name(o->release));
		return -EINVAL;
	}
	if (o->as == SL_AS_ANY && oracle_find(text, &oracle)) {
		s->oracle = oracle_info(oracle);
		return 0;
	}
	n = leaf_by_name(o->release, text, size, leaf);
	for (u32 i = 0; i < n; i++)
		if (o->as == SL_AS_ANY || o->as == (leaf[i]->guest ? SL_AS_TDCALL : SL_AS_SEAMCALL))
			add_leaf(s, leaf[i], 0);
	if (s->leaf_count)
		return 0;
	if (parse_status_name(text, &value)) {
		s->is_status = true;
		s->value = value;
		return 0;
	}
	if (!strncasecmp(text, "INV-", 4))
		snprintf(err, err_size, "found %s; expected an invariant, such as %s",
			 scn_show_text(&shown, text, size), oracle_name(INV_PAGE_01));
	else if (hex_digit(text[0]) >= 0 || text[0] == '-')
		snprintf(
			err, err_size,
			"found %s; expected a number of at most 64 bits, hexadecimal with 0x, or the "
			"name of a status or a leaf",
			scn_show_text(&shown, text, size));
	else
		leaf_not_found(o->release, text, err, err_size);
	return -EINVAL;
}

static int read_leaf(const struct sl_explain_options *o, struct explain_context *c, char *err,
		     size_t err_size)
{
	const struct leaf_ref *leaf[2];
	const struct leaf_ref *one = NULL;
	u64 number;
	u32 n;

	c->release = o->release;
	if (!o->leaf)
		return 0;
	n = leaf_by_name(o->release, o->leaf, strlen(o->leaf), leaf);
	if (n)
		one = leaf[0];
	else if (explain_number(o->leaf, strlen(o->leaf), &number) && number <= 0xFFFF)
		one = leaf_by_number(o->release, o->as == SL_AS_TDCALL, (u32)number);
	if (!one) {
		leaf_not_found(o->release, o->leaf, err, err_size);
		return -EINVAL;
	}
	c->leaf_copy = *one;
	c->only = &c->leaf_copy;
	return 0;
}

/* ---- the report ------------------------------------------------------------------------------ */

static int as_text(const struct explain_context *c, const struct explain_subject *s, size_t count,
		   char **report)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (i)
			fputc('\n', f);
		explain_text(f, c, &s[i]);
	}
	*report = text_finish(f, &text);
	return *report ? 0 : -ENOMEM;
}

static int as_json(const struct explain_context *c, const struct explain_subject *s, size_t count,
		   char **report)
{
	json_t *o = json_object(), *list = json_array();

	json_object_set_new(o, "release", json_string(sl_release_name(c->release)));
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, explain_json(c, &s[i]));
	json_object_set_new(o, "results", list);
	*report = json_dumps(o, JSON_INDENT(2));
	json_decref(o);
	return *report ? 0 : -ENOMEM;
}

int sl_explain(const struct sl_explain_options *o, const char *const *what, size_t count,
	       char **report, char *err, size_t err_size)
{
	struct explain_context c = { 0 };
	struct explain_subject *s = calloc(count ? count : 1, sizeof(*s));
	int ret = s ? read_leaf(o, &c, err, err_size) : -ENOMEM;

	*report = NULL;
	for (size_t i = 0; i < count && !ret; i++)
		ret = read_subject(o, what[i], &s[i], err, err_size);
	if (!ret)
		ret = o->format == SL_FORMAT_JSON ? as_json(&c, s, count, report)
						  : as_text(&c, s, count, report);
	if (ret == -ENOMEM)
		snprintf(err, err_size, "out of memory");
	free(s);
	return ret;
}
