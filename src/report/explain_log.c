// SPDX-License-Identifier: MIT
/*
 * seamlab explain -: finds statuses in a log and says what they mean. Any bytes may come: nothing is
 * taken for a string, and only the beginning of a line is kept. Layer: report.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <seamlab/tdx_abi.h>

#include "module/sept.h"
#include "report/explain_report.h"

/* Annotations of one line; what comes behind them is left alone. */
#define FINDINGS_MAX 16

struct sl_log {
	enum sl_release release;
	enum sl_format format;
	void (*write)(void *ctx, const char *bytes, size_t size);
	void *ctx;
	size_t size; /* of the line so far, as much as is kept */
	bool in_line;
	u64 line; /* number, from 1 */
	u64 findings;
	struct busy_lock lock; /* scratch */
	char text[SL_LOG_LINE_MAX];
};

struct finding {
	u64 value;
	size_t at, size;
};

static void put(struct sl_log *log, const char *text)
{
	log->write(log->ctx, text, strlen(text));
}

struct sl_log *sl_log_new(const struct sl_explain_options *o,
			  void (*write)(void *ctx, const char *bytes, size_t size), void *ctx)
{
	struct sl_log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->release = o->release;
	log->format = o->format;
	log->write = write;
	log->ctx = ctx;
	log->line = 1;
	if (log->format == SL_FORMAT_JSON) {
		put(log, "{\"release\": \"");
		put(log, sl_release_name(log->release));
		put(log, "\", \"findings\": [");
	}
	return log;
}

/* ---- words ----------------------------------------------------------------------------------- */

static bool is_word_char(char c)
{
	return isalnum((u8)c) || c == '_';
}

/* The word that begins at @at, as numbers, registers and names are written. */
static size_t word_size(const struct sl_log *log, size_t at)
{
	size_t end = at;

	while (end < log->size && is_word_char(log->text[end]))
		end++;
	return end - at;
}

static bool word_is(const struct sl_log *log, size_t at, size_t size, const char *word)
{
	return strlen(word) == size && !strncasecmp(&log->text[at], word, size);
}

/* A word with dots in it, as leaves are written. */
static size_t name_size(const struct sl_log *log, size_t at)
{
	size_t end = at;

	while (end < log->size &&
	       (is_word_char(log->text[end]) ||
		(log->text[end] == '.' && end + 1 < log->size && isalnum((u8)log->text[end + 1]))))
		end++;
	return end - at;
}

static size_t skip(const struct sl_log *log, size_t at, const char *chars)
{
	while (at < log->size && log->text[at] && strchr(chars, log->text[at]))
		at++;
	return at;
}

static bool is_register(const struct sl_log *log, size_t at, size_t size)
{
	static const char *const names[] = { "rcx", "rdx", "rbx", "rsp", "rbp", "rsi",
					     "rdi", "r8",  "r9",  "r08", "r09", "r10",
					     "r11", "r12", "r13", "r14", "r15", "rip" };

	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		if (word_is(log, at, size, names[i]))
			return true;
	return false;
}

/* Is the word in front of @at the name of a register, other than RAX? */
static bool is_register_value(const struct sl_log *log, size_t at)
{
	size_t end = at, begin;

	while (end && strchr(" \t:=[(,", log->text[end - 1]) && log->text[end - 1])
		end--;
	begin = end;
	while (begin && is_word_char(log->text[begin - 1]))
		begin--;
	return is_register(log, begin, end - begin);
}

/* ---- what a line is about -------------------------------------------------------------------- */

/* "SEAMCALL (0x000000000000000f)", "SEAMCALL[TDH_MEM_PAGE_AUG]", "TDCALL 6", "seamcall leaf 0x1c" */
static const struct leaf_ref *leaf_behind(const struct sl_log *log, size_t at, bool guest)
{
	const struct leaf_ref *leaf[2];
	size_t size;
	u64 number;

	at = skip(log, at, " \t([:=");
	size = word_size(log, at);
	if (word_is(log, at, size, "leaf")) {
		at = skip(log, at + size, " \t([:=");
		size = word_size(log, at);
	}
	/* No version above 255: RAX bits 23:16. */
	if (explain_number(&log->text[at], size, &number))
		return number >> 24 ? NULL
				    : leaf_by_number(log->release, guest, (u32)number & 0xFFFF);
	for (u32 i = leaf_by_name(log->release, &log->text[at], name_size(log, at), leaf); i--;)
		if (leaf[i]->guest == guest)
			return leaf[i];
	return NULL;
}

/* The leaf that a line is about: NULL if it names none. */
static const struct leaf_ref *line_leaf(const struct sl_log *log)
{
	const struct leaf_ref *leaf[2], *found = NULL;

	for (size_t at = 0; at < log->size && !found; at++) {
		size_t size = word_size(log, at);

		if (!size)
			continue;
		if (word_is(log, at, size, "seamcall") || word_is(log, at, size, "tdcall"))
			found = leaf_behind(log, at + size, size == strlen("tdcall"));
		else if (size >= 3 && (word_is(log, at, 3, "tdh") || word_is(log, at, 3, "tdg")) &&
			 leaf_by_name(log->release, &log->text[at], name_size(log, at), leaf) == 1)
			found = leaf[0];
		at += size - 1;
	}
	return found;
}

/* Does the line speak of TDX at all? */
static bool is_about_tdx(const struct sl_log *log)
{
	static const char *const words[] = { "tdx", "tdh", "tdg", "seamcall", "tdcall", "seam" };

	for (size_t at = 0; at < log->size; at++)
		for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
			size_t n = strlen(words[i]);

			if (log->size - at >= n && !strncasecmp(&log->text[at], words[i], n))
				return true;
		}
	return false;
}

/* A number that is a status: one with an error bit anywhere, any other only in a line about TDX. */
static bool is_status(u64 value, bool about_tdx)
{
	if (!(value >> 32) || !status_is_known(value))
		return false;
	return value >> 62 || about_tdx;
}

/* The number at @at with a sign in front and a suffix behind, if it is one. */
static bool number_at(const struct sl_log *log, size_t at, size_t size, u64 *value)
{
	bool negative =
		at && log->text[at - 1] == '-' && (at < 2 || !is_word_char(log->text[at - 2]));

	while (size && (log->text[at + size - 1] == 'L' || log->text[at + size - 1] == 'U' ||
			log->text[at + size - 1] == 'l' || log->text[at + size - 1] == 'u'))
		size--;
	/* Short decimals are counters and times; the last word that was kept may be cut off. */
	if (size < 10 || at + size == sizeof(log->text))
		return false;
	return explain_number(&log->text[at - negative], size + negative, value);
}

static u32 find(const struct sl_log *log, struct finding out[FINDINGS_MAX])
{
	bool about_tdx = is_about_tdx(log);
	u32 n = 0;

	for (size_t at = 0; at < log->size && n < FINDINGS_MAX; at++) {
		size_t size = word_size(log, at);
		u64 value;
		bool seen = false;

		if (!size)
			continue;
		if (number_at(log, at, size, &value) && is_status(value, about_tdx) &&
		    !is_register_value(log, at)) {
			for (u32 i = 0; i < n; i++)
				seen |= out[i].value == value;
			if (!seen)
				out[n++] = (struct finding){ value, at, size };
		}
		at += size - 1;
	}
	return n;
}

/* Extended error information: "RDX 0x400" is level 0, state MAPPED. */
static bool find_rdx(const struct sl_log *log, u64 *rdx)
{
	for (size_t at = 0; at < log->size; at++) {
		size_t size = word_size(log, at);

		if (!size)
			continue;
		if (word_is(log, at, size, "rdx")) {
			at = skip(log, at + size, " \t:=");
			return explain_number(&log->text[at], word_size(log, at), rdx);
		}
		at += size - 1;
	}
	return false;
}

static bool has_entry_info(u64 value)
{
	u64 class = value & TDX_STATUS_CLASS_MASK;

	return value >> 40 == (TDX_EPT_WALK_FAILED >> 40) ||
	       class == TDX_GPA_RANGE_ALREADY_BLOCKED ||
	       value == (TDX_OPERAND_BUSY | TDX_OPERAND_ID_RCX);
}

static const char *public_state_name(u32 public_state)
{
	for (u32 i = 0; i < SEPT_STATES; i++)
		if (sept_state_public((enum sept_state)i) == public_state)
			return sept_state_name((enum sept_state)i);
	return NULL;
}

/* ---- annotations ----------------------------------------------------------------------------- */

static void print_locks(struct sl_log *log, FILE *f, const struct leaf_ref *leaf, u64 value)
{
	struct busy_lock *l = &log->lock;

	for (u32 i = 0; status_lock(log->release, value, leaf, i, l); i++) {
		fprintf(f, "%s%s", i ? " or " : " Lock: ", lock_object_info(l->object)->text);
		if (leaf && l->holder_count) {
			fputs(", which may be held by ", f);
			takers_print(f, l->holder, l->holder_count, LOCK_EX);
			for (u32 k = 0; k < l->holder_count; k++)
				if (l->holder[k].step->mode == LOCK_SH) {
					fputs(" (exclusive)", f);
					break;
				}
		}
		if (lock_advice(l->object, l->refused[0].leaf.guest) && leaf)
			fprintf(f, ". %s",
				lock_advice(l->object, leaf->guest)
					? lock_advice(l->object, leaf->guest)
					: "");
	}
}

static void annotate(struct sl_log *log, FILE *f, const struct leaf_ref *leaf,
		     const struct finding *x)
{
	struct status_view v;
	bool busy;
	u64 rdx;

	status_look_up(log->release, x->value, &v);
	busy = status_lock(log->release, x->value, leaf, 0, &log->lock);
	if (leaf)
		fprintf(f, "%s: ", leaf->name);
	status_title(f, &v);
	fputc('.', f);
	if (v.meaning)
		fprintf(f, " %s", v.meaning);
	if (has_entry_info(x->value) && find_rdx(log, &rdx) && (rdx >> 18) == 0) {
		const char *state = public_state_name((u32)(rdx >> 8 & 0xFF));

		if (state)
			fprintf(f, " RDX: S-EPT entry at level %u, state %s.", (u32)(rdx & 7),
				state);
	}
	if (busy)
		print_locks(log, f, leaf, x->value);
	else if (v.advice)
		fprintf(f, " %s", v.advice);
	if (v.name && !v.in_release)
		fprintf(f, " (Release %s does not have this status.)",
			sl_release_name(log->release));
}

static void write_json(struct sl_log *log, const struct leaf_ref *leaf, const struct finding *x)
{
	json_t *o =
		json_pack("{s:I, s:I, s:o, s:o, s:o}", "line", (json_int_t)log->line, "column",
			  (json_int_t)x->at + 1, "text", json_stringn(&log->text[x->at], x->size),
			  "leaf", leaf ? json_string(leaf->name) : json_null(), "status",
			  status_json(log->release, leaf, x->value));
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	if (text) {
		put(log, log->findings ? ",\n" : "\n");
		put(log, text);
		log->findings++;
	}
	free(text);
	json_decref(o);
}

/* The line is complete. @newline: its end has come out. */
static void end_line(struct sl_log *log, bool newline)
{
	struct finding found[FINDINGS_MAX];
	u32 n = find(log, found);
	const struct leaf_ref *leaf = n ? line_leaf(log) : NULL;

	for (u32 i = 0; i < n; i++) {
		char *text = NULL;
		size_t size;
		FILE *f;

		if (log->format == SL_FORMAT_JSON) {
			write_json(log, leaf, &found[i]);
			continue;
		}
		f = open_memstream(&text, &size);
		if (!f)
			return;
		annotate(log, f, leaf, &found[i]);
		if (text_finish(f, &text)) {
			put(log, newline ? SL_LOG_MARK : "\n" SL_LOG_MARK);
			put(log, text);
			if (newline)
				put(log, "\n");
		}
		free(text);
	}
	log->line++;
	log->size = 0;
	log->in_line = false;
}

void sl_log_feed(struct sl_log *log, const char *bytes, size_t size)
{
	while (size) {
		const char *end = memchr(bytes, '\n', size);
		size_t n = end ? (size_t)(end - bytes) : size;
		size_t room = sizeof(log->text) - log->size;

		memcpy(&log->text[log->size], bytes, n < room ? n : room);
		log->size += n < room ? n : room;
		log->in_line = true;
		if (end)
			n++;
		if (log->format == SL_FORMAT_TEXT)
			log->write(log->ctx, bytes, n);
		if (end)
			end_line(log, true);
		bytes += n;
		size -= n;
	}
}

void sl_log_end(struct sl_log *log)
{
	if (log->in_line)
		end_line(log, false);
	if (log->format == SL_FORMAT_JSON)
		put(log, log->findings ? "\n]}\n" : "]}\n");
	free(log);
}
