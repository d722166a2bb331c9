// SPDX-License-Identifier: MIT
/*
 * The keys of a scenario, checked, into struct scenario. Never prints, never exits.
 * Layer: scenario.
 */
#include "scenario/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/env.h"
#include "host/policy.h"

/* Longer paths are shown by their end, so that the message behind them stays readable. */
#define PATH_SHOWN_MAX  100
#define SECONDS_DEFAULT 5

static char *copy_text(const char *text, size_t size)
{
	char *copy = malloc(size + 1);

	if (copy) {
		memcpy(copy, text, size);
		copy[size] = 0;
	}
	return copy;
}

/* Writes the index of @n's text among @words to @out. */
static int get_word(struct scn_reader *r, const struct scn_node *n, const char *const *words,
		    u32 count, u32 *out)
{
	struct scn_near near = { .word = n->text, .size = n->size };
	struct scn_names names = { .used = 0 };
	struct scn_shown shown, hint;

	for (u32 i = 0; i < count; i++) {
		if (scn_node_is(n, words[i])) {
			*out = i;
			return 0;
		}
		scn_names_add(&names, words[i]);
		if (n->kind == SCN_NODE_SCALAR)
			scn_near_try(&near, words[i]);
	}
	return scn_fail(r, n, "found %s; expected %s%s%s", scn_show(&shown, n),
			count > 1 ? "one of " : "", names.text, scn_near_text(&near, &hint));
}

static int read_title(struct scn_reader *r, const struct scn_node *n)
{
	struct scn_shown shown;

	if (n->kind != SCN_NODE_SCALAR || !n->size)
		return scn_fail(r, n, "found %s; expected a title", scn_show(&shown, n));
	if (n->size > SCN_TITLE_MAX)
		return scn_fail(r, n, "found a title of %zu bytes; expected at most %d", n->size,
				SCN_TITLE_MAX);
	for (size_t i = 0; i < n->size; i++) {
		u8 c = (u8)n->text[i];

		if (c < 0x20 || c == 0x7f || (c == 0xc2 && (u8)n->text[i + 1] < 0xa0))
			return scn_fail(r, n,
					"found a control character in the title; expected one line "
					"of text");
	}
	r->s->title = copy_text(n->text, n->size);
	return r->s->title ? 0 : scn_no_memory(r);
}

static const char *const flavours[] = {
	[SL_PUBLISHED] = "published",
	[SL_HARDENED] = "hardened",
};

static const char *const releases[] = {
#define SL_RELEASE(ident, patch, name) [SL_RELEASE_##ident] = (name),
#include <seamlab/tdx_release.def>
#undef SL_RELEASE
};

int scn_get_release(struct scn_reader *r, const struct scn_node *n, enum sl_release *out)
{
	u32 word;
	int ret = get_word(r, n, releases, ARRAY_SIZE(releases), &word);

	if (!ret)
		*out = (enum sl_release)word;
	return ret;
}

static int read_module(struct scn_reader *r, const struct scn_node *n)
{
	enum {
		RELEASE,
		FLAVOUR,
		THRESHOLD,
		HP_TIMEOUT,
		PACKAGES,
		CONTENTS,
		MEASUREMENT,
		INTERRUPTS,
		ENTROPY_FAILS,
		DYNAMIC_PAMT
	};
	struct scn_key keys[] = {
		[RELEASE] = { .name = "release" },
		[FLAVOUR] = { .name = "flavour" },
		[THRESHOLD] = { .name = "zero-step-threshold" },
		[HP_TIMEOUT] = { .name = "hp-timeout" },
		[PACKAGES] = { .name = "packages" },
		[CONTENTS] = { .name = "contents" },
		[MEASUREMENT] = { .name = "measurement" },
		[INTERRUPTS] = { .name = "interrupts" },
		[ENTROPY_FAILS] = { .name = "entropy-fails" },
		[DYNAMIC_PAMT] = { .name = "dynamic-pamt" },
	};
	struct sl_machine_config *m = &r->s->module;
	u32 word;
	int ret = scn_get_map(r, n, keys, ARRAY_SIZE(keys));

	if (!ret && keys[RELEASE].value) {
		ret = scn_get_release(r, keys[RELEASE].value, &m->release);
	}
	if (!ret && keys[FLAVOUR].value) {
		ret = get_word(r, keys[FLAVOUR].value, flavours, ARRAY_SIZE(flavours), &word);
		if (!ret)
			m->flavour = (enum sl_flavour)word;
	}
	if (!ret && keys[THRESHOLD].value)
		ret = scn_get_number(r, keys[THRESHOLD].value, 1, 255, &m->zero_step_threshold);
	if (!ret && keys[HP_TIMEOUT].value)
		ret = scn_get_bool(r, keys[HP_TIMEOUT].value, &m->hp_timeout);
	if (!ret && keys[PACKAGES].value)
		ret = scn_get_number(r, keys[PACKAGES].value, 1, SL_PACKAGES_MAX, &m->packages);
	if (!ret && keys[CONTENTS].value)
		ret = scn_get_bool(r, keys[CONTENTS].value, &m->contents);
	if (!ret && keys[MEASUREMENT].value)
		ret = scn_get_bool(r, keys[MEASUREMENT].value, &m->measurement);
	if (!ret && keys[INTERRUPTS].value)
		ret = scn_get_bool(r, keys[INTERRUPTS].value, &m->interrupts);
	if (!ret && keys[ENTROPY_FAILS].value)
		ret = scn_get_bool(r, keys[ENTROPY_FAILS].value, &r->s->entropy_fails);
	if (!ret && keys[DYNAMIC_PAMT].value)
		ret = scn_get_bool(r, keys[DYNAMIC_PAMT].value, &m->dynamic_pamt);
	if (!ret && m->dynamic_pamt && !sl_release_has_dynamic_pamt(m->release))
		ret = scn_fail(
			r, keys[DYNAMIC_PAMT].value,
			"release %s has no dynamic PAMT; expected false, or a release from 1.5.20 on",
			sl_release_name(m->release));
	return ret;
}

static int override_word(const char *key, const char *value, const char *const *words, u32 count,
			 struct sl_err *err)
{
	struct scn_near near = { .word = value, .size = strlen(value) };
	struct scn_names names = { .used = 0 };
	struct scn_shown shown, hint;

	for (u32 i = 0; i < count; i++) {
		if (!strcmp(value, words[i]))
			return (int)i;
		scn_names_add(&names, words[i]);
		scn_near_try(&near, words[i]);
	}
	return sl_err_set(err, -EINVAL, "--set %s: found %s; expected one of %s%s", key,
			  scn_show_text(&shown, value, strlen(value)), names.text,
			  scn_near_text(&near, &hint));
}

int scn_override_module(struct scenario *s, const char *text, struct sl_err *err)
{
	static const char release[] = "release=", flavour[] = "flavour=";
	int word;

	if (!strncmp(text, flavour, sizeof(flavour) - 1)) {
		word = override_word("flavour", text + sizeof(flavour) - 1, flavours,
				     ARRAY_SIZE(flavours), err);
		if (word >= 0)
			s->module.flavour = (enum sl_flavour)word;
	} else if (!strncmp(text, release, sizeof(release) - 1)) {
		if (s->lock)
			return sl_err_set(
				err, -ENOTSUP,
				"%s: found a scenario of a lock word, which has no release; "
				"expected one of a TD for --set release",
				s->path);
		word = override_word("release", text + sizeof(release) - 1, releases,
				     ARRAY_SIZE(releases), err);
		if (word >= 0 && s->module.dynamic_pamt &&
		    !sl_release_has_dynamic_pamt((enum sl_release)word))
			return sl_err_set(
				err, -ENOTSUP,
				"%s: release %s has no dynamic PAMT, which the scenario asks for; "
				"expected a release from 1.5.20 on",
				s->path, sl_release_name((enum sl_release)word));
		if (word >= 0)
			s->module.release = (enum sl_release)word;
	} else {
		return -ENOENT;
	}
	return word < 0 ? word : 0;
}

/* "64K", "2M", "1G" or plain bytes: whole leaves, at most SCN_MEMORY_MAX. */
static int read_size(struct scn_reader *r, const struct scn_node *n, u8 level, u64 *count)
{
	static const struct {
		char suffix;
		u32 shift;
	} units[] = { { 'K', 10 }, { 'M', 20 }, { 'G', 30 } };
	struct scn_shown shown;
	size_t digits = n->size;
	u32 shift = 0;
	u64 bytes;

	if (n->kind == SCN_NODE_SCALAR && n->size)
		for (size_t i = 0; i < ARRAY_SIZE(units); i++)
			if (n->text[n->size - 1] == units[i].suffix) {
				shift = units[i].shift;
				digits--;
			}
	if (n->kind != SCN_NODE_SCALAR || !scn_parse_number(n->text, digits, &bytes) ||
	    bytes == 0 || bytes > SCN_MEMORY_MAX >> shift)
		return scn_fail(r, n,
				"found %s; expected a size from one page to 64G: bytes, or a "
				"number with K, M or G",
				scn_show(&shown, n));
	bytes <<= shift;
	if (!sl_is_aligned(bytes, SL_LEVEL_SIZE(level)))
		return scn_fail(r, n, "found %s; expected a multiple of %s", scn_show(&shown, n),
				level ? "2M" : "4K");
	*count = bytes >> SL_LEVEL_SHIFT(level);
	return 0;
}

static int read_range_name(struct scn_reader *r, const struct scn_node *n, struct scn_range *range)
{
	struct scn_shown shown;
	bool good = n->kind == SCN_NODE_SCALAR && n->size && n->text[0] >= 'a' && n->text[0] <= 'z';

	for (size_t i = 0; good && i < n->size; i++) {
		char c = n->text[i];

		good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
	}
	if (!good)
		return scn_fail(r, n,
				"found %s; expected the name of a range: a to z, then a to z, 0 to "
				"9, '_' or '-'",
				scn_show(&shown, n));
	if (n->size >= SCN_NAME_MAX)
		return scn_fail(r, n, "found a name of %zu characters; expected at most %d",
				n->size, SCN_NAME_MAX - 1);
	memcpy(range->name, n->text, n->size);
	return 0;
}

static int read_range(struct scn_reader *r, const struct scn_node *n, struct scn_range *range)
{
	static const char *const levels[] = { "4K", "2M" };
	static const char *const states[] = {
		[SCN_FREE] = "free",
		[SCN_PENDING] = "pending",
		[SCN_MAPPED] = "mapped",
	};
	enum { LEVEL, SIZE, STATE };
	struct scn_key keys[] = {
		[LEVEL] = { .name = "level" },
		[SIZE] = { .name = "size" },
		[STATE] = { .name = "state" },
	};
	u32 word;
	int ret = scn_get_map(r, n, keys, ARRAY_SIZE(keys));

	range->count = 1;
	if (!ret && keys[LEVEL].value) {
		ret = get_word(r, keys[LEVEL].value, levels, ARRAY_SIZE(levels), &word);
		if (!ret)
			range->level = (u8)word;
	}
	if (!ret && keys[SIZE].value)
		ret = read_size(r, keys[SIZE].value, range->level, &range->count);
	if (!ret && keys[STATE].value) {
		ret = get_word(r, keys[STATE].value, states, ARRAY_SIZE(states), &word);
		if (!ret)
			range->state = (enum scn_page_state)word;
	}
	if (!ret && range->state == SCN_MAPPED && range->level)
		ret = scn_fail(r, keys[STATE].value,
			       "found 'mapped' on a 2M range; expected free or pending: "
			       "TDH.MEM.PAGE.ADD takes 4 KB pages only");
	return ret;
}

static int read_memory(struct scn_reader *r, const struct scn_node *n, struct scn_td *td)
{
	struct scn_shown shown;
	u64 end = 0;
	int ret;

	if (n->kind != SCN_NODE_MAP)
		return scn_fail(r, n, "found %s; expected a mapping of named ranges",
				scn_show(&shown, n));
	for (const struct scn_node *key = n->first; key; key = key->next->next) {
		struct scn_range *range = &td->ranges[td->range_count];

		if (td->range_count == SCN_RANGES_MAX)
			return scn_fail(r, key, "found more than %d ranges; expected fewer",
					SCN_RANGES_MAX);
		ret = read_range_name(r, key, range);
		if (ret)
			return ret;
		for (u32 i = 0; i < td->range_count; i++)
			if (strcmp(td->ranges[i].name, range->name) == 0)
				return scn_fail(r, key, "found range '%s' again; expected it once",
						range->name);
		ret = read_range(r, key->next, range);
		if (ret)
			return ret;
		range->gpa = sl_align_up(end, SL_LEVEL_SIZE(range->level));
		end = range->gpa + range->count * SL_LEVEL_SIZE(range->level);
		if (end > SCN_MEMORY_MAX)
			return scn_fail(r, key,
					"found ranges of more than 64G in one TD; expected at most "
					"that, each from a multiple of its leaf size on");
		td->range_count++;
	}
	td->pages = end >> SL_PAGE_SHIFT;
	return 0;
}

static int read_td(struct scn_reader *r, const struct scn_node *n, struct scn_td *td)
{
	enum { VCPUS, VE_DISABLE, DEBUG, FINALIZED, MEMORY };
	struct scn_key keys[] = {
		[VCPUS] = { .name = "vcpus", .required = "vcpus: N" },
		[VE_DISABLE] = { .name = "sept-ve-disable" },
		[DEBUG] = { .name = "debug" },
		[FINALIZED] = { .name = "finalized" },
		[MEMORY] = { .name = "memory" },
	};
	bool finalized = true;
	int ret = scn_get_map(r, n, keys, ARRAY_SIZE(keys));

	if (!ret)
		ret = scn_get_number(r, keys[VCPUS].value, 1, SCN_VCPUS_MAX, &td->vcpus);
	if (!ret && keys[VE_DISABLE].value)
		ret = scn_get_bool(r, keys[VE_DISABLE].value, &td->sept_ve_disable);
	if (!ret && keys[DEBUG].value)
		ret = scn_get_bool(r, keys[DEBUG].value, &td->debug);
	if (!ret && keys[FINALIZED].value)
		ret = scn_get_bool(r, keys[FINALIZED].value, &finalized);
	td->unfinished = !finalized;
	if (!ret && keys[MEMORY].value)
		ret = read_memory(r, keys[MEMORY].value, td);
	return ret;
}

static int read_tds(struct scn_reader *r, const struct scn_node *n)
{
	struct scn_shown shown;
	int ret;

	if (n->kind == SCN_NODE_MAP) {
		r->s->td_count = 1;
		return read_td(r, n, &r->s->td[0]);
	}
	if (n->kind != SCN_NODE_LIST || !n->count)
		return scn_fail(r, n, "found %s; expected a mapping, or a list of up to %d",
				scn_show(&shown, n), SCN_TDS_MAX);
	for (const struct scn_node *td = n->first; td; td = td->next) {
		if (r->s->td_count == SCN_TDS_MAX)
			return scn_fail(r, td, "found more than %d TDs; expected fewer",
					SCN_TDS_MAX);
		ret = read_td(r, td, &r->s->td[r->s->td_count]);
		if (ret)
			return ret;
		r->s->td_count++;
	}
	return 0;
}

static int read_lock(struct scn_reader *r, const struct scn_node *n)
{
	static const char *const kinds[] = { "mutex", "sharex", "sharex-hp", "sept-entry" };
	enum { KIND, FLAVOUR };
	struct scn_key keys[] = {
		[KIND] = { .name = "kind", .required = "kind: KIND" },
		[FLAVOUR] = { .name = "flavour" },
	};
	u32 word = 0;
	int ret = scn_get_map(r, n, keys, ARRAY_SIZE(keys));

	if (!ret)
		ret = get_word(r, keys[KIND].value, kinds, ARRAY_SIZE(kinds), &word);
	r->s->lock = (enum scn_lock_kind)(SCN_LOCK_MUTEX + word);
	if (!ret && keys[FLAVOUR].value) {
		ret = get_word(r, keys[FLAVOUR].value, flavours, ARRAY_SIZE(flavours), &word);
		if (!ret)
			r->s->module.flavour = (enum sl_flavour)word;
	}
	return ret;
}

/* "retry-N" */
static bool get_retries(const struct scn_node *n, u32 *retries)
{
	u64 times;

	if (n->kind != SCN_NODE_SCALAR || n->size <= 6 || memcmp(n->text, "retry-", 6) != 0 ||
	    !scn_parse_number(n->text + 6, n->size - 6, &times) || times < 1 ||
	    times > SCN_RETRIES_MAX)
		return false;
	*retries = (u32)times;
	return true;
}

/* Which of @words @n is: its index; @count for "retry-N"; or an error. */
static int get_attitude(struct scn_reader *r, const struct scn_node *n, const char *const *words,
			u32 count, u32 *retries, u32 *out)
{
	struct scn_near near = { .word = n->text, .size = n->size };
	struct scn_names names = { .used = 0 };
	struct scn_shown shown, hint;

	for (*out = 0; *out < count; ++*out) {
		if (scn_node_is(n, words[*out]))
			return 0;
		scn_names_add(&names, words[*out]);
		scn_near_try(&near, words[*out]);
	}
	if (get_retries(n, retries))
		return 0;
	return scn_fail(r, n, "found %s; expected %s, or retry-N with N from 1 to %u%s",
			scn_show(&shown, n), names.text, SCN_RETRIES_MAX,
			scn_near_text(&near, &hint));
}

static int read_guest(struct scn_reader *r, const struct scn_node *n)
{
	static const char *const on_busy[] = { "retry", "fatal", "spin-with-other-call" };
	static const enum guest_on_busy busy_values[] = { GUEST_BUSY_RETRY, GUEST_BUSY_FATAL,
							  GUEST_BUSY_SPIN_OTHER,
							  GUEST_BUSY_RETRY_N };
	static const char *const on_map_retry[] = { "continue", "ignore" };
	static const enum guest_on_map_retry map_values[] = { GUEST_MAP_CONTINUE, GUEST_MAP_IGNORE,
							      GUEST_MAP_RETRY_N };
	struct scn_key keys[] = { { .name = "on-busy" }, { .name = "on-map-retry" } };
	u32 word;
	int ret = scn_get_map(r, n, keys, ARRAY_SIZE(keys));

	if (!ret && keys[0].value) {
		ret = get_attitude(r, keys[0].value, on_busy, ARRAY_SIZE(on_busy),
				   &r->s->busy_retries, &word);
		if (!ret)
			r->s->on_busy = busy_values[word];
	}
	if (!ret && keys[1].value) {
		ret = get_attitude(r, keys[1].value, on_map_retry, ARRAY_SIZE(on_map_retry),
				   &r->s->map_retries, &word);
		if (!ret)
			r->s->on_map_retry = map_values[word];
	}
	return ret;
}

/* The KIND of "violated(KIND)". */
static int read_kind(struct scn_reader *r, const struct scn_node *n, const char *text, size_t size)
{
	struct scn_near near = { .word = text, .size = size };
	struct scn_names names = { .used = 0 };
	struct scn_shown shown, hint;

	for (u32 i = 0; i < SL_VIOLATION_COUNT; i++) {
		const char *name = sl_violation_name((enum sl_violation)i);

		if (scn_text_is(text, size, name)) {
			r->s->expect = SCN_VIOLATED;
			r->s->expect_kind = copy_text(text, size);
			return r->s->expect_kind ? 0 : scn_no_memory(r);
		}
		scn_names_add(&names, name);
		scn_near_try(&near, name);
	}
	return scn_fail(r, n, "found violation %s; expected one of %s%s",
			scn_show_text(&shown, text, size), names.text, scn_near_text(&near, &hint));
}

static int read_expect(struct scn_reader *r, const struct scn_node *n)
{
	static const char violated[] = "violated(";
	const size_t head = sizeof(violated) - 1;
	struct scn_near near = { .word = n->text, .size = n->size };
	struct scn_shown shown, hint;

	if (scn_node_is(n, "holds")) {
		r->s->expect = SCN_HOLDS;
	} else if (scn_node_is(n, "inconclusive")) {
		r->s->expect = SCN_INCONCLUSIVE;
	} else if (n->kind == SCN_NODE_SCALAR && n->size > head &&
		   memcmp(n->text, violated, head) == 0 && n->text[n->size - 1] == ')') {
		return read_kind(r, n, n->text + head, n->size - head - 1);
	} else {
		scn_near_try(&near, "holds");
		scn_near_try(&near, "inconclusive");
		return scn_fail(r, n, "found %s; expected holds, violated(KIND) or inconclusive%s",
				scn_show(&shown, n), scn_near_text(&near, &hint));
	}
	return 0;
}

static int read_engine(struct scn_reader *r, const struct scn_node *n)
{
	struct scn_shown shown;

	if (scn_node_is(n, "threads"))
		r->s->threads_only = true;
	else if (!scn_node_is(n, "any"))
		return scn_fail(r, n, "found %s; expected any or threads", scn_show(&shown, n));
	return 0;
}

static const char *const memories[] = { [SCN_SC] = "sc", [SCN_TSO] = "tso" };

static int read_memory_model(struct scn_reader *r, const struct scn_node *n)
{
	u32 word;
	int ret = get_word(r, n, memories, ARRAY_SIZE(memories), &word);

	if (!ret)
		r->s->memory = (enum scn_memory)word;
	return ret;
}

const char *scenario_memory_name(enum scn_memory m)
{
	return memories[m];
}

int scenario_set_memory(struct scenario *s, const char *word, struct sl_err *err)
{
	for (u32 i = 0; i < ARRAY_SIZE(memories); i++)
		if (!strcmp(word, memories[i])) {
			s->memory = (enum scn_memory)i;
			return 0;
		}
	return sl_err_set(err, -EINVAL, "--memory-model: found %s; expected sc or tso", word);
}

static int read_subject(struct scn_reader *r, const struct scn_node *root, const struct scn_key *td,
			const struct scn_key *lock, const struct scn_key *other, u32 others)
{
	if (!td->value && !lock->value)
		return scn_fail(r, root,
				"found a mapping without 'td'; expected 'td: {vcpus: N, memory: "
				"{...}}' or 'lock: {kind: KIND}'");
	if (!lock->value)
		return read_tds(r, td->value);
	if (td->value)
		return scn_fail(r, lock->key,
				"found key 'lock' beside 'td' (line %u); expected one of them",
				td->key->line);
	for (u32 i = 0; i < others; i++)
		if (other[i].value)
			return scn_fail(r, other[i].key,
					"found key '%s' beside 'lock' (line %u); expected a "
					"scenario of a lock without it",
					other[i].name, lock->key->line);
	return read_lock(r, lock->value);
}

static int read_scenario(struct scn_reader *r, const struct scn_node *root)
{
	/* Those from MODULE to GUEST do not go with a lock. */
	enum {
		TITLE,
		TD,
		LOCK,
		MODULE,
		HOST,
		GUEST,
		RUN,
		CLAIMS,
		EXPECT,
		SECONDS,
		ENGINE,
		MEMORY_MODEL,
		SLOW
	};
	struct scn_key keys[] = {
		[TITLE] = { .name = "title", .required = "title: TEXT" },
		[TD] = { .name = "td" },
		[LOCK] = { .name = "lock" },
		[MODULE] = { .name = "module" },
		[HOST] = { .name = "host" },
		[GUEST] = { .name = "guest" },
		[RUN] = { .name = "run", .required = "run: {vcpu0: [...]}" },
		[CLAIMS] = { .name = "claims" },
		[EXPECT] = { .name = "expect" },
		[SECONDS] = { .name = "seconds" },
		[ENGINE] = { .name = "engine" },
		[MEMORY_MODEL] = { .name = "memory-model" },
		[SLOW] = { .name = "slow" },
	};
	int ret = scn_get_map(r, root, keys, ARRAY_SIZE(keys));

	if (!ret)
		ret = read_title(r, keys[TITLE].value);
	if (!ret && keys[MODULE].value)
		ret = read_module(r, keys[MODULE].value);
	if (!ret)
		ret = read_subject(r, root, &keys[TD], &keys[LOCK], &keys[MODULE],
				   GUEST - MODULE + 1);
	if (!ret && keys[HOST].value)
		ret = scn_read_host(r, keys[HOST].value);
	if (!ret && keys[GUEST].value)
		ret = read_guest(r, keys[GUEST].value);
	if (!ret)
		ret = scn_read_lanes(r, keys[RUN].value);
	if (!ret && keys[CLAIMS].value)
		ret = scn_read_claims(r, keys[CLAIMS].value);
	if (!ret && keys[EXPECT].value)
		ret = read_expect(r, keys[EXPECT].value);
	if (!ret && keys[SECONDS].value)
		ret = scn_get_number(r, keys[SECONDS].value, 1, SCN_SECONDS_MAX, &r->s->seconds);
	if (!ret && keys[ENGINE].value)
		ret = read_engine(r, keys[ENGINE].value);
	if (!ret && keys[MEMORY_MODEL].value)
		ret = read_memory_model(r, keys[MEMORY_MODEL].value);
	if (!ret && keys[SLOW].value)
		ret = scn_get_bool(r, keys[SLOW].value, &r->s->slow);
	return ret;
}

/* The path as errors show it. */
static void show_path(const char *path, char out[PATH_SHOWN_MAX + 1])
{
	size_t size = strlen(path);

	if (size <= PATH_SHOWN_MAX) {
		memcpy(out, path, size + 1);
		return;
	}
	path += size - (PATH_SHOWN_MAX - 3);
	while (((u8)*path & 0xc0) == 0x80)
		path++;
	snprintf(out, PATH_SHOWN_MAX + 1, "...%s", path);
}

int scenario_read_text(const char *path, const char *text, size_t size, struct scenario **out,
		       struct sl_err *err)
{
	char shown_path[PATH_SHOWN_MAX + 1];
	struct scn_reader r = {
		.path = shown_path,
		.text = text,
		.size = size,
		.err = err,
	};
	struct scn_node *root;
	int ret;

	*out = NULL;
	err->text[0] = 0;
	show_path(path, shown_path);
	r.s = calloc(1, sizeof(*r.s));
	if (!r.s)
		return scn_no_memory(&r);
	sl_machine_config_init(&r.s->module);
	r.s->on_busy = GUEST_BUSY_RETRY;
	r.s->expect = SCN_HOLDS;
	r.s->seconds = SECONDS_DEFAULT;
	r.s->store_buffer = SCN_STORE_BUFFER;
	r.s->path = copy_text(path, strlen(path));
	/* The first one is the default. */
	SL_BUG_ON(host_policy_init(&r.s->rules, host_policy_name(0), strlen(host_policy_name(0))));
	if (r.s->path)
		ret = scn_tree_build(&r, text, size, &root);
	else
		ret = scn_no_memory(&r);
	if (!ret)
		ret = read_scenario(&r, root);
	scn_tree_free(&r);
	if (ret)
		scenario_free(r.s);
	else
		*out = r.s;
	return ret;
}

/* Reads one byte more than allowed, so that the text reader sees that it is too much. */
static int read_all(FILE *f, char **text, size_t *size)
{
	size_t room = 1 << 14, used = 0;
	char *buf = malloc(room);

	while (buf) {
		size_t n = fread(buf + used, 1, room - used, f);
		char *more;

		used += n;
		if (ferror(f)) {
			int code = errno ? -errno : -EIO;

			free(buf);
			return code;
		}
		if (feof(f) || used > SCN_FILE_MAX) {
			*text = buf;
			*size = used;
			return 0;
		}
		if (used < room)
			continue;
		room *= 2;
		more = realloc(buf, room);
		if (!more)
			free(buf);
		buf = more;
	}
	return -ENOMEM;
}

int scenario_read_bytes(const char *path, char **text, size_t *size, struct sl_err *err)
{
	char shown_path[PATH_SHOWN_MAX + 1];
	FILE *f;
	int ret;

	show_path(path, shown_path);
	errno = 0;
	f = fopen(path, "r");
	if (!f) {
		ret = errno ? -errno : -EIO;
		return sl_err_set(err, ret, "%s: cannot open: %s", shown_path, strerror(-ret));
	}
	ret = read_all(f, text, size);
	fclose(f);
	if (ret)
		return sl_err_set(err, ret, "%s: cannot read: %s", shown_path, strerror(-ret));
	return 0;
}

int scenario_read_file(const char *path, struct scenario **out, struct sl_err *err)
{
	char *text;
	size_t size;
	int ret;

	*out = NULL;
	ret = scenario_read_bytes(path, &text, &size, err);
	if (ret)
		return ret;
	ret = scenario_read_text(path, text, size, out, err);
	free(text);
	return ret;
}

void scenario_free(struct scenario *s)
{
	if (!s)
		return;
	for (u32 i = 0; i < SCN_TDS_MAX; i++)
		for (u32 j = 0; j < SCN_VCPUS_MAX; j++)
			free(s->td[i].vcpu[j].ops);
	for (u32 i = 0; i < SCN_HOSTS_MAX; i++)
		free(s->host[i].ops);
	for (u32 i = 0; i < SCN_LPS_MAX; i++)
		free(s->lp[i].ops);
	free(s->setup.ops);
	for (u32 i = 0; i < SCN_CALLERS_MAX; i++)
		free(s->caller[i].ops);
	free(s->plugin);
	free(s->expect_kind);
	free(s->title);
	free(s->path);
	free(s);
}
