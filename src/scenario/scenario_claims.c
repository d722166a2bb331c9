// SPDX-License-Identifier: MIT
/*
 * The claims of a scenario: flags, "never STATUS", "retries(SITE) <= N", "busy(LEAF) <= N".
 * Never prints, never exits. Layer: scenario.
 */
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/types.h"
#include "host/policy.h"
#include "scenario/reader.h"

/* "never TDX_NAME" or "never TDX_NAME(OPERAND)": what stands behind "never ". */
static int parse_never(struct scn_reader *r, const struct scn_node *claim, const char *text,
		       size_t size, struct scn_never *out)
{
	static const struct {
		const char *name;
		u64 status;
	} statuses[] = {
#define SL_STATUS(name, upper) { "TDX_" #name, (u64)(upper) << 32 },
#include <seamlab/tdx_status.def>
#define SL_NEW_STATUS(since, name, upper, who) SL_STATUS(name, upper)
#include <seamlab/tdx_release.def>
#undef SL_NEW_STATUS
#undef SL_STATUS
	};
	static const struct {
		const char *name;
		u32 id;
	} operands[] = {
#define SL_OPERAND(name, id) { #name, id },
#include <seamlab/tdx_operand.def>
#define SL_NEW_OPERAND(since, name, id) SL_OPERAND(name, id)
#include <seamlab/tdx_release.def>
#undef SL_NEW_OPERAND
#undef SL_OPERAND
	};
	const char *open = memchr(text, '(', size);
	size_t name_size = open ? (size_t)(open - text) : size;
	struct scn_near near = { .word = text, .size = name_size };
	struct scn_shown shown, hint;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		if (scn_text_is(text, name_size, statuses[i].name))
			break;
		scn_near_try(&near, statuses[i].name);
	}
	if (i == ARRAY_SIZE(statuses))
		return scn_fail(r, claim, "found status %s; expected the name of a status%s",
				scn_show_text(&shown, text, name_size),
				scn_near_text(&near, &hint));
	*out = (struct scn_never){ .status = statuses[i].status, .any_operand = !open };
	snprintf(out->text, sizeof(out->text), "%.*s", (int)size, text);
	if (!open)
		return 0;
	if (text[size - 1] != ')')
		return scn_fail(r, claim, "found %s; expected TDX_NAME or TDX_NAME(OPERAND)",
				scn_show_text(&shown, text, size));
	open++;
	size -= name_size + 2;
	near = (struct scn_near){ .word = open, .size = size };
	for (i = 0; i < ARRAY_SIZE(operands); i++) {
		if (scn_text_is(open, size, operands[i].name)) {
			out->status |= operands[i].id;
			return 0;
		}
		scn_near_try(&near, operands[i].name);
	}
	return scn_fail(r, claim, "found operand %s; expected the name of an operand%s",
			scn_show_text(&shown, open, size), scn_near_text(&near, &hint));
}

static int read_never(struct scn_reader *r, const struct scn_node *claim, const char *text,
		      size_t size)
{
	struct scn_never never;
	struct scn_shown shown;
	int ret;

	if (r->s->lock)
		return scn_fail(r, claim, "found %s on a lock; expected a claim about the lock",
				scn_show(&shown, claim));
	ret = parse_never(r, claim, text, size, &never);
	if (ret)
		return ret;
	for (u32 i = 0; i < r->s->never_count; i++)
		if (r->s->never[i].status == never.status &&
		    r->s->never[i].any_operand == never.any_operand)
			return scn_fail(r, claim, "found claim 'never %s' again; expected it once",
					never.text);
	if (r->s->never_count == SCN_NEVER_MAX)
		return scn_fail(r, claim, "found more than %d claims of 'never'; expected fewer",
				SCN_NEVER_MAX);
	r->s->never[r->s->never_count++] = never;
	return 0;
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* "<= N" behind a bound's name, with any spaces between. */
static int parse_limit(struct scn_reader *r, const struct scn_node *claim, const char *text,
		       size_t size, u32 *limit)
{
	struct scn_shown shown;
	size_t i = 0;
	u32 n = 0;

	while (i < size && text[i] == ' ')
		i++;
	if (size - i < 2 || memcmp(text + i, "<=", 2))
		return scn_fail(r, claim, "found %s; expected '<= N' behind the bracket",
				scn_show(&shown, claim));
	i += 2;
	while (i < size && text[i] == ' ')
		i++;
	if (i == size)
		return scn_fail(r, claim, "found %s; expected a number behind '<='",
				scn_show(&shown, claim));
	for (; i < size; i++) {
		if (text[i] < '0' || text[i] > '9' || n > SCN_BOUND_MAX)
			break;
		n = n * 10 + (u32)(text[i] - '0');
	}
	if (i < size || n > SCN_BOUND_MAX)
		return scn_fail(r, claim, "found %s; expected a number from 0 to %u behind '<='",
				scn_show(&shown, claim), SCN_BOUND_MAX);
	*limit = n;
	return 0;
}

static int add_bound(struct scn_reader *r, const struct scn_node *claim, const char *verb,
		     const char *name, struct scn_bound b)
{
	snprintf(b.text, sizeof(b.text), "%s(%s)", verb, name);
	for (u32 i = 0; i < r->s->bound_count; i++)
		if (!strcmp(r->s->bound[i].text, b.text))
			return scn_fail(r, claim, "found a bound on %s again; expected it once",
					b.text);
	if (r->s->bound_count == SCN_BOUNDS_MAX)
		return scn_fail(r, claim, "found more than %d bounds; expected fewer",
				SCN_BOUNDS_MAX);
	r->s->bound[r->s->bound_count++] = b;
	return 0;
}

/* A site by its name, or all sites "NAME-...", each of which gets the bound. */
static int bound_sites(struct scn_reader *r, const struct scn_node *claim, const char *name,
		       size_t size, u32 limit)
{
	struct scn_near near = { .word = name, .size = size };
	struct scn_shown shown, hint;
	bool found = false;
	int ret = 0;

	for (u32 i = 0; i < HOST_SITE_COUNT && !ret; i++) {
		const char *site = host_site_name((enum host_site)i);

		scn_near_try(&near, site);
		if (strncmp(site, name, size) || (site[size] && site[size] != '-'))
			continue;
		found = true;
		ret = add_bound(
			r, claim, "retries", site,
			(struct scn_bound){ .kind = SCN_BOUND_RETRIES, .what = i, .limit = limit });
	}
	if (found)
		return ret;
	return scn_fail(r, claim,
			"found site %s; expected a site of the host, such as zap-block, or all of "
			"a kind, such as zap%s",
			scn_show_text(&shown, name, size), scn_near_text(&near, &hint));
}

/* "MEM.PAGE.AUG", "TDH.MEM.PAGE.AUG" or "TDG.MEM.PAGE.ACCEPT". */
static int bound_leaf(struct scn_reader *r, const struct scn_node *claim, const char *name,
		      size_t size, u32 limit)
{
	struct scn_near near = { .word = name, .size = size };
	struct scn_shown shown, hint;

	for (u32 seam = 2; seam--;) {
		for (u32 i = 0; i < (seam ? TDX_SEAMCALL_COUNT : TDX_TDCALL_COUNT); i++) {
			const char *leaf = seam ? tdx_seamcall_name(i) : tdx_tdcall_name(i);

			if (!leaf)
				continue;
			scn_near_try(&near, leaf);
			if (!scn_text_is(name, size, leaf) &&
			    !(seam && scn_text_is(name, size, leaf + strlen("TDH."))))
				continue;
			return add_bound(r, claim, "busy", leaf,
					 (struct scn_bound){ .kind = seam ? SCN_BOUND_SEAMCALL
									  : SCN_BOUND_TDCALL,
							     .what = i,
							     .limit = limit });
		}
	}
	return scn_fail(r, claim,
			"found leaf %s; expected a SEAMCALL or TDCALL, such as MEM.PAGE.AUG or "
			"TDG.MEM.PAGE.ACCEPT%s",
			scn_show_text(&shown, name, size), scn_near_text(&near, &hint));
}

/* "retries(SITE) <= N" or "busy(LEAF) <= N"; @head: the bytes up to and with the bracket. */
static int read_bound(struct scn_reader *r, const struct scn_node *claim, size_t head)
{
	const char *name = claim->text + head, *close;
	size_t left = claim->size - head, size;
	struct scn_shown shown;
	u32 limit = 0;
	int ret;

	close = memchr(name, ')', left);
	if (r->s->lock)
		return scn_fail(r, claim, "found %s on a lock; expected a claim about the lock",
				scn_show(&shown, claim));
	if (!close || close == name)
		return scn_fail(r, claim, "found %s; expected a name in brackets",
				scn_show(&shown, claim));
	size = (size_t)(close - name);
	ret = parse_limit(r, claim, close + 1, left - size - 1, &limit);
	if (ret)
		return ret;
	return claim->text[0] == 'r' ? bound_sites(r, claim, name, size, limit)
				     : bound_leaf(r, claim, name, size, limit);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Host priority can be claimed only where there is any. */
static int check_hp_claim(struct scn_reader *r, const struct scn_node *claim, const char *name)
{
	if (!r->s->lock && scn_text_is(name, strlen(name), "hp-kept"))
		return scn_fail(r, claim, "found claim 'hp-kept' on a TD; expected it on a lock");
	if (r->s->lock == SCN_LOCK_MUTEX || r->s->lock == SCN_LOCK_SHAREX)
		return scn_fail(r, claim,
				"found claim '%s' on a lock without host priority; expected kind "
				"sharex-hp or sept-entry",
				name);
	return 0;
}

static int read_claim(struct scn_reader *r, const struct scn_node *claim)
{
	static const char *const names[] = { "all-finish", "no-stale-hp", "hp-kept" };
	bool *const flags[] = { &r->s->all_finish, &r->s->no_stale_hp, &r->s->hp_kept };
	static const char never[] = "never ", retries[] = "retries(", busy[] = "busy(";
	const size_t head = sizeof(never) - 1;
	struct scn_near near = { .word = claim->text, .size = claim->size };
	struct scn_shown shown, hint;
	size_t i;

	if (claim->kind == SCN_NODE_SCALAR && claim->size > head &&
	    memcmp(claim->text, never, head) == 0)
		return read_never(r, claim, claim->text + head, claim->size - head);
	if (claim->kind == SCN_NODE_SCALAR && !strncmp(claim->text, retries, strlen(retries)))
		return read_bound(r, claim, strlen(retries));
	if (claim->kind == SCN_NODE_SCALAR && !strncmp(claim->text, busy, strlen(busy)))
		return read_bound(r, claim, strlen(busy));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (scn_node_is(claim, names[i]))
			break;
		if (claim->kind == SCN_NODE_SCALAR)
			scn_near_try(&near, names[i]);
	}
	if (i == ARRAY_SIZE(names))
		return scn_fail(r, claim,
				"found %s; expected a claim that this version checks: %s, %s, %s, "
				"never STATUS, retries(SITE) <= N, busy(LEAF) <= N%s",
				scn_show(&shown, claim), names[0], names[1], names[2],
				scn_near_text(&near, &hint));
	if (*flags[i])
		return scn_fail(r, claim, "found claim '%s' again; expected it once", names[i]);
	*flags[i] = true;
	return i ? check_hp_claim(r, claim, names[i]) : 0;
}

int scn_read_claims(struct scn_reader *r, const struct scn_node *n)
{
	struct scn_shown shown;
	int ret;

	if (n->kind != SCN_NODE_LIST)
		return scn_fail(r, n, "found %s; expected a list of claims", scn_show(&shown, n));
	for (const struct scn_node *claim = n->first; claim; claim = claim->next) {
		ret = read_claim(r, claim);
		if (ret)
			return ret;
	}
	return 0;
}
