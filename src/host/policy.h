/* SPDX-License-Identifier: MIT */
/*
 * What a VMM does about BUSY: an action per SEAMCALL site, and switches for everything that is not
 * a matter of one site. policy.def has the tables; adding a preset is adding rows to it.
 * Layer: host.
 */
#ifndef SL_HOST_POLICY_H
#define SL_HOST_POLICY_H

#include <stddef.h>

#include <seamlab/policy.h>
#include <seamlab/tdx_abi.h>

#include "base/stats.h"
#include "base/types.h"

enum host_site {
#define SL_HOST_SITE(ident, name, leaf, room, action, ok1, ok2) HOST_SITE_##ident,
#include "host/site.def"
#undef SL_HOST_SITE
	HOST_SITE_COUNT
};

_Static_assert(HOST_SITE_COUNT <= SL_SITE_MAX, "statistics have room for every site");

/* What the code around a site can bear; see site.def. */
enum site_room {
	ROOM_FIXED,
	ROOM_INSTALL,
	ROOM_REMOVE,
	ROOM_RESIZE,
	ROOM_BUILD,
	ROOM_TEARDOWN,
};

enum site_action {
#define SL_ACTION(ident, name, rooms, text) SITE_##ident,
#include "host/policy.def"
	SITE_ACTION_COUNT
};

enum host_switch {
#define SL_SWITCH(ident, name, text) HOST_SWITCH_##ident,
#include "host/policy.def"
	HOST_SWITCH_COUNT
};

/* Values of all switches in one row: HOST_track_no_kick, ... */
enum host_value {
#define SL_VALUE(sw, ident, name, text) HOST_##sw##_##ident,
#include "host/policy.def"
	HOST_VALUE_COUNT
};

/* The largest N of blind-N. */
#define HOST_TRIES_MAX 1000000u
/* Bytes of a preset's name, or of a setting's value, with the number in it. */
#define HOST_WORD_MAX 32

struct site_rule {
	u8 action; /* enum site_action */
	u32 tries; /* BLIND: in all, at least 1 */
};

/* The questions that a policy of the user's can answer instead of the tables. */
enum policy_question { POLICY_ON_BUSY, POLICY_ON_FAULT, POLICY_ON_ENTER, POLICY_QUESTIONS };

/*
 * The user's answers; engine/plugin.h has what is behind it. Native code that is called from the model: it
 * looks at the context and at nothing else of the world.
 */
struct policy_hook {
	/* Is there an answer other than the tables'? */
	bool asks[POLICY_QUESTIONS];
	/* NULL and an answer that means something; or what is wrong with the policy. */
	const char *(*ask)(const struct policy_hook *hook, enum policy_question what,
			   const struct sl_policy_context *c, u32 *answer);
};

/* Constant once a world is made from it. */
struct host_policy {
	char name[HOST_WORD_MAX]; /* of the preset it was made from */
	struct site_rule site[HOST_SITE_COUNT];
	u8 sw[HOST_SWITCH_COUNT];       /* enum host_value */
	const struct policy_hook *hook; /* or NULL: the tables are all */
};

#define HOST_IS(policy, sw_, value) ((policy)->sw[HOST_SWITCH_##sw_] == HOST_##sw_##_##value)

/* Does the policy @p answer @what itself? */
static inline bool policy_asks(const struct host_policy *p, enum policy_question what)
{
	return p->hook && p->hook->asks[what];
}

/* 0 and the preset @name ("kvm-6.19", "blind-16"), or -ENOENT. */
int host_policy_init(struct host_policy *p, const char *name, size_t size) SL_WARN_UNUSED;
/* "kvm-6.19", ..., "blind-N": in the order of the table; NULL behind the last one. */
const char *host_policy_name(u32 index);
/* What the preset is, and what of it this model leaves out ("" if nothing); same order. */
const char *host_policy_text(u32 index);
const char *host_policy_left_out(u32 index);
/* Is @name ("blind-16") a policy of the row @index ("blind-N")? */
bool host_policy_is(u32 index, const char *name, size_t size);

/*
 * Settings: first groups of sites ("remove-on-busy"), then switches ("track"), then sites
 * ("zap-remove"). Indices are from 0; NULL behind the last one.
 */
const char *host_setting_name(u32 index);
const char *host_setting_text(u32 index);
/* The first index that is a switch's, and the first that is a site's. */
u32 host_setting_switches(void);
u32 host_setting_sites(void);
/* Name and meaning of its values: "blind-N", ...; NULL behind the last one. */
const char *host_setting_value(u32 index, u32 value);
const char *host_setting_value_text(u32 index, u32 value);
/* Index of the setting @name, or -ENOENT. */
int host_setting_find(const char *name, size_t size) SL_WARN_UNUSED;
/* 0, or -EINVAL: the setting has no such value. */
int host_policy_set(struct host_policy *p, u32 setting, const char *value,
		    size_t size) SL_WARN_UNUSED;

/* "fault-aug", ... */
const char *host_site_name(enum host_site site);
enum tdx_seamcall host_site_leaf(enum host_site site);
enum site_room host_site_room(enum host_site site);
/* Actions that the code around @site can bear, one bit each: 1 << enum sl_policy_action. */
u32 host_site_actions(enum host_site site);
/* Has the switch busy-test a say at @site? */
bool host_site_is_tested(enum host_site site);
/* The @nth setting, from 0, without which the host never comes to @site: true, and switch and value. */
bool host_site_need(enum host_site site, u32 nth, enum host_switch *sw, enum host_value *value);
/* Does a host with the policy @p ever come to @site? */
bool host_policy_reaches(const struct host_policy *p, enum host_site site);
/* Why no world in which others contend at @site can be explored to the end, or NULL. */
const char *host_site_endless(enum host_site site);
const char *host_switch_name(enum host_switch sw);
/* "kick-once", "blind-16", ...; @word has HOST_WORD_MAX bytes. */
const char *site_rule_name(const struct site_rule *rule, char *word);
/* "keep vCPUs out, ..." */
const char *site_rule_text(const struct site_rule *rule);
const char *host_value_name(enum host_value value);
const char *host_value_text(enum host_value value);
/* Is the switch about something beside BUSY, and @value what every host does that has no known bug there? */
bool host_value_is_aside(enum host_switch sw, enum host_value value);

#endif
