# The gateway's upstreams in a cluster or Compose, with the addresses that DNS has at present; shell functions for the start
# of its container. nginx itself resolves a name once, and gives all of its addresses the same place in a consistent hash.
#
#   WEB, SOLVER   the names of the Services, whose addresses do not change while they exist
#   SOLVER_PODS   the name of the headless Service, with one address per ready solver pod; in Compose the same as SOLVER
#   UPSTREAMS     the file to write, which the configuration includes
#   CONFIGURATION nginx's configuration file
#   PERIOD        the seconds between lookups

# In a cluster, look up names in the pod's own namespace only, which is the first search domain. A name without an address,
# as the pods' before a sitting, would otherwise be looked up in all domains, and if none outside of the cluster responds,
# that takes 20 s.
search_own_namespace() {
    LOCALDOMAIN=$(awk '$1 == "search" { print $2; exit }' /etc/resolv.conf)
    export LOCALDOMAIN RES_OPTIONS=no-tld-query
}

# Print the addresses of the name $1 as `server` directives with the parameters $2, sorted; nothing if DNS has none.
servers() {
    getent ahosts "$1" | awk -v parameters="$2" '
        { address = index($1, ":") ? "[" $1 "]" : $1; print "    server " address ":8000 " parameters ";" }' | sort -u
}

# Print all upstreams. Fails if a Service has no address, that is, if DNS is unavailable; without any pod, as before a
# sitting, `solver` is the Service.
upstreams() {
    web=$(servers "$WEB" max_fails=0)
    service=$(servers "$SOLVER" max_fails=0)
    if [ -z "$web" ] || [ -z "$service" ]; then
        echo "DNS has no address of $WEB or $SOLVER; looking them up again in $PERIOD s" >&2
        return 1
    fi
    pods=$(servers "$SOLVER_PODS" 'max_fails=1 fail_timeout=3s')
    # A Service has a single address: listing it twice gives each request a second try, and max_fails=0 never marks it down.
    # Web gets a new connection per request (no keepalive): on a reused connection to a pod that has gone, a POST may or may
    # not have arrived, so it must not be retried. An answer may be sent again at any time, so solver connections are reused.
    cat <<END
upstream web {
$web
$web
}
upstream solver {
    hash \$student_route consistent;
${pods:-$service}
    keepalive 64;
}
upstream any_solver {
$service
$service
    keepalive 64;
}
END
}

# Write the file for the first start of nginx; wait for DNS.
await_upstreams() {
    until used=$(upstreams); do sleep "$PERIOD"; done
    printf '%s\n' "$used" > "$UPSTREAMS"
}

# Look up the addresses periodically, for ever, and reload nginx when they have changed. A reload closes no request in
# progress. If it fails, the next lookup repeats it.
follow_upstreams() {
    while sleep "$PERIOD"; do
        if found=$(upstreams) && [ "$found" != "$used" ]; then
            printf '%s\n' "$found" > "$UPSTREAMS"
            if nginx -e stderr -c "$CONFIGURATION" -s reload; then
                used=$found
                echo "upstreams changed; solver pods: $(servers "$SOLVER_PODS" | awk '{ printf "%s ", $2 }')" >&2
            fi
        fi
    done
}
