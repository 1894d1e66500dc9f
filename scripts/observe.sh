#!/usr/bin/env bash
# The service with everything that watches it, and a load: `make observe`. Ctrl-C stops all of it.
# CONFIG (serve_config.yaml) is what is served.
set -euo pipefail
cd "$(dirname "$0")/.."
export CONFIG=${CONFIG:-serve_config.yaml}
work=$(mktemp -d) children=() load=
trap 'kill "${children[@]}" $load 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
target=$(.venv/bin/python -m scripts.service_address "$CONFIG")
url=http://$target

answers() { .venv/bin/python -c "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])" "$1" 2>/dev/null; }
wait_for() { # URL PID LOG
    until answers "$1"; do
        kill -0 "$2" 2>/dev/null || { echo "It has ended:" >&2; tail -n 20 "$3" >&2; exit 1; }
        sleep 1
    done
}

if [ -e .cache/phoenix/installed ]; then
    export PHOENIX_PORT=${PHOENIX_PORT:-6006}
    scripts/phoenix.sh >"$work/phoenix.log" 2>&1 & children+=($!)
    export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$PHOENIX_PORT
    wait_for "$OTEL_EXPORTER_OTLP_ENDPOINT/healthz" "${children[-1]}" "$work/phoenix.log"
    .venv/bin/python -m scripts.phoenix_prices "$OTEL_EXPORTER_OTLP_ENDPOINT"
    echo "Phoenix     $OTEL_EXPORTER_OTLP_ENDPOINT"
else
    echo "Phoenix is not installed: scripts/phoenix.sh --install-only"
fi
.venv/bin/python -m scripts.real_models "$CONFIG"
.venv/bin/ghostrouter serve --dashboard "$CONFIG" & children+=($!)
wait_for "$url/healthz" "${children[-1]}" /dev/null
if command -v prometheus >/dev/null; then
    cat >"$work/prometheus.yaml" <<END
global: {scrape_interval: 5s, evaluation_interval: 5s}
rule_files: [$PWD/dashboards/prometheus/recording.yaml, $PWD/dashboards/prometheus/alerts.yaml]
scrape_configs: [{job_name: ghostrouter, static_configs: [{targets: ["$target"]}]}]
END
    prometheus --config.file="$work/prometheus.yaml" --storage.tsdb.path="$work/data" --enable-feature=exemplar-storage \
        --web.listen-address=127.0.0.1:9090 >"$work/prometheus.log" 2>&1 & children+=($!)
    wait_for http://127.0.0.1:9090/-/ready "${children[-1]}" "$work/prometheus.log"
    echo "Prometheus  http://127.0.0.1:9090"
else
    echo "Prometheus is not installed: apt-get install prometheus"
fi
if grafana=$(command -v grafana-server grafana | head -n 1) && [ -n "$grafana" ]; then
    export PROMETHEUS_URL=http://127.0.0.1:9090 GHOSTROUTER_DASHBOARDS=$PWD/dashboards/grafana
    export GF_PATHS_PROVISIONING=$PWD/dashboards/grafana/provisioning GF_PATHS_DATA=$work/grafana
    export GF_AUTH_ANONYMOUS_ENABLED=true GF_SERVER_HTTP_PORT=3000
    case $grafana in *-server) ;; *) grafana="$grafana server" ;; esac
    $grafana --homepath "${GRAFANA_HOME:-/usr/share/grafana}" >"$work/grafana.log" 2>&1 & children+=($!)
    echo "Grafana     http://127.0.0.1:3000"
else
    echo "Grafana is not installed; dashboards/grafana has what it would show"
fi
echo "Load runs. The page: $url/dashboard"
while true; do
    .venv/bin/python -m scripts.ask_around "$url" & load=$!
    wait $load || sleep 5
done
