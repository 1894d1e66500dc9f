#!/usr/bin/env bash
# The service with everything that watches it, and a load: `make observe`. Ctrl-C stops all of it.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d) children=()
trap 'kill "${children[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
url=http://127.0.0.1:8000

if [ -x .cache/phoenix/venv/bin/phoenix ]; then
    scripts/phoenix.sh >"$work/phoenix.log" 2>&1 & children+=($!)
    export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:6006
    echo "Phoenix     http://127.0.0.1:6006"
else
    echo "Phoenix is not installed: scripts/phoenix.sh --install-only"
fi
.venv/bin/ghostrouter serve --dashboard "${CONFIG:-serve_config.yaml}" & children+=($!)
until .venv/bin/python -c "import urllib.request; urllib.request.urlopen('$url/healthz')" 2>/dev/null; do
    kill -0 "${children[-1]}" || exit 1
    sleep 1
done
if command -v prometheus >/dev/null; then
    cat >"$work/prometheus.yaml" <<END
global: {scrape_interval: 5s, evaluation_interval: 5s}
rule_files: [$PWD/dashboards/prometheus/recording.yaml, $PWD/dashboards/prometheus/alerts.yaml]
scrape_configs: [{job_name: ghostrouter, static_configs: [{targets: ["127.0.0.1:8000"]}]}]
END
    prometheus --config.file="$work/prometheus.yaml" --storage.tsdb.path="$work/data" \
        --web.listen-address=127.0.0.1:9090 >"$work/prometheus.log" 2>&1 & children+=($!)
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
    .venv/bin/python -m scripts.ask_around "$url" || sleep 5
done
