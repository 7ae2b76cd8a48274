// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {IAggregatorV3} from "./interfaces/IAggregatorV3.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {ISignedPriceFeed} from "./interfaces/ISignedPriceFeed.sol";
import {FixedMath} from "./libraries/FixedMath.sol";

/// @title PriceOracle
/// @notice {documentation: IPriceOracle}
contract PriceOracle is IPriceOracle, Ownable2Step {
    using FixedMath for int256;

    uint256 public constant MAX_FEEDS = 9;
    /// @dev Several times what Chainlink's proxies need.
    uint256 private constant FEED_GAS = 250_000;

    /// @dev One slot. The first feed of a market also carries how all of them are read.
    struct Feed {
        address aggregator;
        uint8 decimals;
        uint24 heartbeat;
        /// {1e12 = 100 %}
        uint40 maxDeviation;
        uint8 quorum;
        uint8 count;
        bool halted;
    }

    /// @dev What a slot has room for: deviations in steps of 1e-12.
    int256 private constant DEVIATION_STEP = 1e6;

    mapping(uint16 market => Feed[MAX_FEEDS]) private _feeds;

    constructor(address owner) Ownable(owner) {}

    /// @inheritdoc IPriceOracle
    function setFeeds(uint16 market, OracleConfig calldata config) external onlyOwner {
        uint256 count = config.feeds.length;
        if (count == 0 || count > MAX_FEEDS) revert InvalidFeeds(market, "between 1 and 9 feeds");
        if (config.quorum == 0 || config.quorum > count) revert InvalidFeeds(market, "quorum between 1 and all feeds");
        if (config.heartbeat == 0) revert InvalidFeeds(market, "heartbeat above zero");
        if (config.heartbeat > type(uint24).max) revert InvalidFeeds(market, "heartbeat below 2**24 s");
        if (config.maxDeviation >= uint256(FixedMath.UNIT)) revert InvalidFeeds(market, "deviation below 100 %");
        int256 deviation = int256(uint256(config.maxDeviation)).divFloor(DEVIATION_STEP);
        if (deviation * DEVIATION_STEP != int256(uint256(config.maxDeviation))) {
            revert InvalidFeeds(market, "deviation in steps of 1e-12");
        }
        bool halted = _feeds[market][0].halted;
        for (uint256 i = 0; i < count; i++) {
            uint8 decimals = IAggregatorV3(config.feeds[i]).decimals();
            if (decimals > 36) revert InvalidFeeds(market, "at most 36 decimals");
            _feeds[market][i] = Feed(
                config.feeds[i],
                decimals,
                uint24(config.heartbeat),
                uint40(uint256(deviation)),
                config.quorum,
                uint8(count),
                halted
            );
        }
        emit FeedsSet(market, config);
    }

    /// @inheritdoc IPriceOracle
    function setHalted(uint16 market, bool halted) external onlyOwner {
        _feeds[market][0].halted = halted;
        emit HaltSet(market, halted);
    }

    /// @inheritdoc IPriceOracle
    function deliver(uint16 market, SignedReport[] calldata reports) external {
        Feed[MAX_FEEDS] storage feeds = _feeds[market];
        uint256 count = feeds[0].count;
        for (uint256 i = 0; i < reports.length; i++) {
            SignedReport calldata report = reports[i];
            if (report.feed >= count) revert UnknownFeed(market, report.feed);
            address aggregator = feeds[report.feed].aggregator;
            // Whoever saw the report may have delivered it first, or a newer one; then the feed is as fresh already.
            (bool answered,, uint256 updatedAt) = _latest(aggregator);
            if (answered && report.timestamp <= updatedAt) continue;
            try ISignedPriceFeed(aggregator).deliver(report.price, report.timestamp, report.signature) {}
            catch (bytes memory reason) {
                if (reason.length == 0) revert TakesNoReports(market, report.feed);
                assembly ("memory-safe") {
                    revert(add(reason, 32), mload(reason))
                }
            }
        }
    }

    /// @inheritdoc IPriceOracle
    function isHalted(uint16 market) external view returns (bool) {
        return _feeds[market][0].halted;
    }

    /// @inheritdoc IPriceOracle
    function configOf(uint16 market) external view returns (OracleConfig memory config) {
        Feed memory first = _feeds[market][0];
        config.heartbeat = first.heartbeat;
        config.maxDeviation = uint64(first.maxDeviation * uint64(uint256(DEVIATION_STEP)));
        config.quorum = first.quorum;
        config.feeds = new address[](first.count);
        for (uint256 i = 0; i < first.count; i++) {
            config.feeds[i] = _feeds[market][i].aggregator;
        }
    }

    /// @inheritdoc IPriceOracle
    function price(uint16 market) external view returns (int256, uint256) {
        Feed[MAX_FEEDS] storage feeds = _feeds[market];
        Feed memory config = feeds[0];
        if (config.halted) revert PriceHalted(market);
        if (config.count == 0) revert NoFeeds(market);
        uint256[] memory readings = new uint256[](config.count);

        unchecked {
            uint256 fresh = 0;
            for (uint256 i = 0; i < config.count; i++) {
                Feed storage feed = feeds[i];
                uint256 reading = _read(feed.aggregator, feed.decimals, config.heartbeat);
                if (reading != 0) _insert(readings, fresh++, reading);
            }
            if (fresh < config.quorum) revert StalePrice(market, fresh, config.quorum);

            int256 center = _median(readings, 0, fresh);
            int256 tolerance = center * int256(uint256(config.maxDeviation)) * DEVIATION_STEP;
            uint256 first = 0;
            uint256 end = fresh;
            while (first < end && (center - _price(readings[first])) * FixedMath.UNIT > tolerance) first++;
            while (end > first && (_price(readings[end - 1]) - center) * FixedMath.UNIT > tolerance) end--;
            if (end - first < config.quorum) revert QuorumNotMet(market, end - first, config.quorum);

            uint256 oldest = type(uint256).max;
            for (uint256 i = first; i < end; i++) {
                uint256 updatedAt = uint40(readings[i]);
                if (updatedAt < oldest) oldest = updatedAt;
            }
            return (_median(readings, first, end), oldest);
        }
    }

    /// @dev What a feed says, as `price << 40 | updatedAt`, or zero when it has nothing to say that counts: it reverts,
    /// is not positive, leaves the supported range, is too old, or comes from the future.
    function _read(address aggregator, uint8 decimals, uint256 heartbeat) private view returns (uint256) {
        (bool answered, int256 answer, uint256 updatedAt) = _latest(aggregator);
        unchecked {
            if (!answered || answer <= 0 || answer > type(int128).max) return 0;
            if (updatedAt == 0 || updatedAt > block.timestamp || block.timestamp - updatedAt > heartbeat) return 0;
            answer = _scale(answer, decimals);
            if (answer == 0 || answer > FixedMath.PRICE_MAX) return 0;
            return (uint256(answer) << 40) | updatedAt;
        }
    }

    /// @dev `latestRoundData` of a feed that may do anything: revert, burn its gas, or answer too little or too much.
    /// None of it may stand in the way of the other feeds.
    function _latest(address aggregator) private view returns (bool answered, int256 answer, uint256 updatedAt) {
        bytes4 selector = IAggregatorV3.latestRoundData.selector;
        uint256 gasLimit = FEED_GAS;
        assembly ("memory-safe") {
            let answers := mload(0x40)
            mstore(answers, selector)
            let success := staticcall(gasLimit, aggregator, answers, 4, answers, 160)
            answered := and(success, gt(returndatasize(), 159))
            if answered {
                answer := mload(add(answers, 32))
                updatedAt := mload(add(answers, 96))
            }
        }
    }

    function _price(uint256 reading) private pure returns (int256) {
        return int256(reading >> 40);
    }

    function _scale(int256 answer, uint8 decimals) private pure returns (int256) {
        if (decimals == 8) return answer * 1e10; // what nearly every dollar feed has
        if (decimals <= 18) return answer * int256(10 ** (18 - decimals));
        return answer.divFloor(int256(10 ** (decimals - 18)));
    }

    /// @dev Keeps the first `count + 1` readings in ascending order.
    function _insert(uint256[] memory readings, uint256 count, uint256 reading) private pure {
        unchecked {
            uint256 i = count;
            for (; i > 0 && readings[i - 1] > reading; i--) {
                readings[i] = readings[i - 1];
            }
            readings[i] = reading;
        }
    }

    /// @dev The median of ascending `readings[first ... end - 1]`.
    function _median(uint256[] memory readings, uint256 first, uint256 end) private pure returns (int256) {
        unchecked {
            uint256 middle = (first + end) >> 1;
            if ((end - first) & 1 == 1) return _price(readings[middle]);
            return (_price(readings[middle - 1]) + _price(readings[middle])).divFloor(2);
        }
    }
}
